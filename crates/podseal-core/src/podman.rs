//! The Podman command that podseal runs, and what of it users may change.

use std::fmt;
use std::str::FromStr;

pub mod health;
pub mod invocation;
mod options;
pub mod strict;

pub use options::{RefusedOption, check_options};

/// A version of Podman.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

impl Version {
    /// The first that hands activated sockets to a container whose network is
    /// `none` (`podman run` with socket activation, Podman 3.4.0).
    pub const MINIMUM: Self = Self::new(3, 4, 0);
    /// The first with `--log-driver=passthrough`.
    const PASSTHROUGH: Self = Self::new(4, 0, 0);

    /// A version of three numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

/// A text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a version of Podman")]
pub struct InvalidVersion {
    /// The text.
    pub text: String,
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Reads `5.4.2`, `5.8.0-rc1` or `4.9.4+ds1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split(['-', '+', '~']).next().unwrap_or_default();
        let numbers: Option<Vec<u32>> = numbers.split('.').map(|n| n.parse().ok()).collect();
        match numbers.as_deref() {
            Some([major, minor, patch]) => Ok(Self::new(*major, *minor, *patch)),
            _ => Err(InvalidVersion {
                text: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// `--pull` of podman-run(1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pull {
    /// The image is here or the start fails.
    #[default]
    Never,
    /// Asks the registry at each start, which a seal does not allow.
    Always,
}

impl fmt::Display for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Always => "always",
        })
    }
}

/// `--sdnotify` of podman-run(1): who says that the service is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SdNotify {
    /// Podman, when the container runs.
    #[default]
    Conmon,
    /// The program in the container.
    Container,
}

/// `--cgroups` of podman-run(1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgroups {
    /// The container gets one, conmon stays where the service is.
    NoConmon,
    /// None: the host's cgroups cannot be written.
    Disabled,
}

/// The most a process may raise a resource limit to; none is unlimited.
pub type HardLimit = Option<u64>;

/// Resource limits that a container is given because Podman could not raise
/// its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HardLimits {
    /// `RLIMIT_NOFILE`
    pub open_files: HardLimit,
    /// `RLIMIT_NPROC`
    pub processes: HardLimit,
}

impl HardLimits {
    /// The options of podman-run(1) that set them.
    #[must_use]
    pub fn options(&self) -> [String; 2] {
        [("nofile", self.open_files), ("nproc", self.processes)].map(|(name, limit)| {
            let limit = limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string());
            format!("--ulimit={name}={limit}:{limit}")
        })
    }
}

/// A container that is a service.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    /// Path of podman.
    pub podman: &'a str,
    /// Its version.
    pub version: Version,
    /// Path of the OCI runtime.
    pub oci_runtime: &'a str,
    /// Name of the container.
    pub name: &'a str,
    /// The image.
    pub image: &'a str,
    /// Arguments for the image's entry point.
    pub arguments: &'a [String],
    /// More options for `podman run`, which [`check_options`] has seen.
    pub options: &'a [String],
    /// Where Podman writes the container's id.
    pub cid_file: &'a str,
    /// `--pull`
    pub pull: Pull,
    /// `--sdnotify`
    pub sdnotify: SdNotify,
    /// `--cgroups`
    pub cgroups: Cgroups,
    /// Limits to give it, where Podman cannot choose them.
    pub limits: Option<HardLimits>,
}

impl Container<'_> {
    /// The `podman run` command that starts it.
    #[must_use]
    pub fn run(&self) -> Vec<String> {
        let mut command = vec![
            self.podman.to_owned(),
            format!("--runtime={}", self.oci_runtime),
            "run".into(),
            format!("--name={}", self.name),
            "--detach".into(),
            "--rm".into(),
            "--replace".into(),
            "--network=none".into(),
            format!("--pull={}", self.pull),
            format!(
                "--sdnotify={}",
                match self.sdnotify {
                    SdNotify::Conmon => "conmon",
                    SdNotify::Container => "container",
                }
            ),
            format!("--cidfile={}", self.cid_file),
            format!(
                "--cgroups={}",
                match self.cgroups {
                    Cgroups::NoConmon => "no-conmon",
                    Cgroups::Disabled => "disabled",
                }
            ),
        ];
        if self.version >= Version::PASSTHROUGH {
            command.push("--log-driver=passthrough".into());
        }
        command.extend(self.limits.iter().flat_map(HardLimits::options));
        command.extend(self.options.iter().cloned());
        command.push(self.image.to_owned());
        command.extend(self.arguments.iter().cloned());
        command
    }

    /// The command that asks it to end, and kills it when it does not within
    /// Podman's ten seconds.
    #[must_use]
    pub fn stop(&self) -> Vec<String> {
        [self.podman, "stop", "--ignore", self.name]
            .map(str::to_owned)
            .into()
    }

    /// The command that removes what may be left of it.
    #[must_use]
    pub fn remove(&self) -> Vec<String> {
        [self.podman, "rm", "--force", "--ignore", self.name]
            .map(str::to_owned)
            .into()
    }
}

/// Whether `name` can be the name of a service and of a container.
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// A name for a service made of `image` or of a program's path: the last part
/// without tag and digest.
#[must_use]
pub fn name_of(image_or_program: &str) -> String {
    let last = image_or_program
        .split('@')
        .next()
        .and_then(|s| s.rsplit('/').next())
        .unwrap_or_default();
    let base = last.split(':').next().unwrap_or_default();
    let name: String = base
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') {
                c
            } else {
                '-'
            }
        })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(64)
        .collect();
    if name.is_empty() {
        "service".into()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        for (text, expected) in [
            ("5.4.2", Some((5, 4, 2))),
            ("5.8.0-rc1", Some((5, 8, 0))),
            ("4.3.1+ds1", Some((4, 3, 1))),
            ("3.4", None),
            ("", None),
            ("a.b.c", None),
        ] {
            let version = text.parse::<Version>().ok();
            assert_eq!(version.map(|v| (v.major, v.minor, v.patch)), expected);
        }
        assert!(Version::new(3, 10, 0) > Version::MINIMUM);
        assert!(Version::new(3, 3, 9) < Version::MINIMUM);
    }

    #[test]
    fn the_command_has_the_recipe_and_the_users_options_before_the_image() {
        let container = Container {
            podman: "/usr/bin/podman",
            version: Version::new(4, 3, 1),
            oci_runtime: "/usr/bin/runc",
            name: "podseal-web",
            image: "localhost/web",
            arguments: &["--listen".into()],
            options: &["--env=A=1".into()],
            cid_file: "/run/user/1/podseal/web/cid",
            pull: Pull::Never,
            sdnotify: SdNotify::Conmon,
            cgroups: Cgroups::NoConmon,
            limits: Some(HardLimits {
                open_files: Some(20),
                processes: None,
            }),
        };
        assert_eq!(
            container.run().join(" "),
            "/usr/bin/podman --runtime=/usr/bin/runc run --name=podseal-web --detach --rm \
             --replace --network=none --pull=never --sdnotify=conmon \
             --cidfile=/run/user/1/podseal/web/cid --cgroups=no-conmon \
             --log-driver=passthrough --ulimit=nofile=20:20 --ulimit=nproc=-1:-1 \
             --env=A=1 localhost/web --listen"
        );
        let old = Container {
            version: Version::MINIMUM,
            ..container
        };
        assert!(!old.run().iter().any(|a| a.contains("passthrough")));
    }

    #[test]
    fn names() {
        for (from, name) in [
            ("docker.io/library/nginx:1.27", "nginx"),
            ("localhost/a/web@sha256:00", "web"),
            ("registry:5000/x", "x"),
            ("/usr/bin/my server", "my-server"),
            ("...", "service"),
            ("", "service"),
        ] {
            assert_eq!(name_of(from), name);
            assert!(is_valid_name(name));
        }
        for name in ["", "a/b", "..", "-a", "a b", "ä", &"a".repeat(65)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
