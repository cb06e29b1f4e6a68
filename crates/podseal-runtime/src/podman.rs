//! Asking Podman.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podseal_core::lifecycle::Exit;
use podseal_core::podman::{InvalidVersion, Version, strict};

use crate::account::Account;
use crate::command::{self, CommandError, LIMIT};
use crate::explain;

/// An installed Podman.
#[derive(Debug, Clone)]
pub struct Podman {
    /// Its path.
    pub path: PathBuf,
    /// The user whose it is asked as; none is this process's.
    account: Option<Account>,
}

/// What Podman says about itself.
#[derive(Debug, Clone)]
pub struct Info {
    /// Podman's version.
    pub version: Version,
    /// Path of the OCI runtime Podman takes by default.
    pub oci_runtime: PathBuf,
}

/// Podman is not usable.
#[derive(Debug, thiserror::Error)]
pub enum PodmanError {
    /// There is none.
    #[error("Podman is not installed, or not in PATH")]
    NotInstalled,
    /// It did not do what it was asked.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Its answer was not understood.
    #[error("`podman info` did not answer as expected")]
    Answer {
        /// Why.
        source: Option<InvalidVersion>,
    },
    /// It cannot do what a seal needs.
    #[error(
        "Podman {found} is too old: handing activated sockets to a container without network needs {} or later",
        Version::MINIMUM
    )]
    TooOld {
        /// Its version.
        found: Version,
    },
    /// An image of which Podman knows none.
    #[error("Podman names no digest of the image {image}")]
    NoDigest {
        /// As given.
        image: String,
    },
    /// The image is not here.
    #[error("the image {image} is not in {} storage, and a sealed service never pulls", owner(user.as_deref()))]
    ImageMissing {
        /// As given.
        image: String,
        /// Whose storage, where it is another user's.
        user: Option<String>,
    },
}

impl PodmanError {
    /// What is known of the cause.
    pub(crate) fn why(&self) -> Option<String> {
        match self {
            Self::Command(error) => explain::of_command(error).map(|why| why.to_string()),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotInstalled => {
                "install it, for example: apt-get install podman crun conmon uidmap".into()
            }
            Self::Command(_) | Self::Answer { .. } => self
                .why()
                .unwrap_or_else(|| "run `podman info` by hand to see what it says".into()),
            Self::TooOld { .. } => "upgrade Podman".into(),
            Self::NoDigest { .. } => {
                "`podman image inspect` shows what it knows of the image; do without --digest"
                    .into()
            }
            Self::ImageMissing { image, user: None } => format!("podman pull {image}"),
            Self::ImageMissing {
                image,
                user: Some(user),
            } => format!("su --login --shell /bin/sh --command 'podman pull {image}' {user}"),
        }
    }
}

fn owner(user: Option<&str>) -> String {
    user.map_or("this user's".into(), |user| format!("{user}'s"))
}

impl Podman {
    /// The Podman in PATH.
    ///
    /// # Errors
    /// There is none.
    pub fn installed() -> Result<Self, PodmanError> {
        command::find("podman")
            .map(|path| Self {
                path,
                account: None,
            })
            .ok_or(PodmanError::NotInstalled)
    }

    /// The same, as another user where there is one.
    #[must_use]
    pub fn run_as(self, account: Option<Account>) -> Self {
        Self { account, ..self }
    }

    /// Its path as a word of a command.
    #[must_use]
    pub fn word(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// A command line of this Podman.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Vec<String> {
        std::iter::once(self.word())
            .chain(arguments.iter().map(|argument| (*argument).to_owned()))
            .collect()
    }

    /// Runs it and returns its standard output.
    ///
    /// # Errors
    /// It could not be run, took too long or failed.
    pub fn output(&self, arguments: &[&str]) -> Result<String, CommandError> {
        self.output_within(arguments, LIMIT)
    }

    /// The same, within another time than usual.
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn output_within(
        &self,
        arguments: &[&str],
        limit: Duration,
    ) -> Result<String, CommandError> {
        let command = self.command(arguments);
        command::run_as(self.account.as_ref(), &command, limit)?.success()
    }

    /// Reads a text file that it reads. Another user's is never looked at as this
    /// one.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(&self, path: &Path) -> io::Result<String> {
        if self.account.is_none() {
            return fs::read_to_string(path);
        }
        let words = [
            "cat".to_owned(),
            "--".to_owned(),
            path.display().to_string(),
        ];
        let output = command::run_as(self.account.as_ref(), &words, LIMIT);
        let output = output.and_then(command::Output::success);
        output.map_err(|error| io::Error::other(error.last_words()))
    }

    /// Its version and defaults.
    ///
    /// # Errors
    /// It cannot be asked, or is too old for a seal.
    pub fn info(&self) -> Result<Info, PodmanError> {
        let info = match self.said_at_start()? {
            Some(info) => info,
            None => self.long_info()?,
        };
        if info.version < Version::MINIMUM {
            return Err(PodmanError::TooOld {
                found: info.version,
            });
        }
        Ok(info)
    }

    /// What its log says as it starts, if it does.
    fn said_at_start(&self) -> Result<Option<Info>, CommandError> {
        const VERSION: &[&str] = &[
            "--log-level=debug",
            "version",
            "--format={{.Client.Version}}",
        ];
        let command = self.command(VERSION);
        let output = command::run_as(self.account.as_ref(), &command, LIMIT)?;
        let info = || {
            Some(Info {
                version: output.stdout.trim().parse().ok()?,
                oci_runtime: default_runtime(&output.stderr)?,
            })
        };
        Ok((output.exit == Exit::Code(0)).then(info).flatten())
    }

    /// What `podman info` says. It takes several times as long, since it has the
    /// package manager asked for the versions of everything.
    fn long_info(&self) -> Result<Info, PodmanError> {
        const FORMAT: &str = "--format={{.Version.Version}}\n{{.Host.OCIRuntime.Path}}";
        let answer = self.output(&["info", FORMAT])?;
        let mut lines = answer.lines();
        let (Some(version), Some(oci_runtime)) = (lines.next(), lines.next()) else {
            return Err(PodmanError::Answer { source: None });
        };
        let version = version.trim().parse();
        Ok(Info {
            version: version.map_err(|error| PodmanError::Answer {
                source: Some(error),
            })?,
            oci_runtime: oci_runtime.trim().into(),
        })
    }

    /// The digest of an image in the storage, such as `sha256:…`.
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn digest(&self, image: &str) -> Result<String, CommandError> {
        let digest = self.output(&["image", "inspect", "--format={{.Digest}}", "--", image])?;
        Ok(digest.trim().to_owned())
    }

    /// An image in the storage by digest.
    ///
    /// # Errors
    /// It has none, or Podman cannot be asked.
    pub fn pinned(&self, image: &str) -> Result<String, PodmanError> {
        let pinned = strict::pinned(image, &self.digest(image)?);
        if strict::is_pinned(&pinned) {
            Ok(pinned)
        } else {
            Err(PodmanError::NoDigest {
                image: image.to_owned(),
            })
        }
    }

    /// Whether `image` is in the storage. None where Podman does not say.
    pub(crate) fn has_image(&self, image: &str) -> Option<bool> {
        self.exists("image", image).ok()
    }

    /// Makes sure that `image` is in the storage.
    ///
    /// # Errors
    /// It is not, or Podman cannot be asked.
    pub fn require_image(&self, image: &str) -> Result<(), PodmanError> {
        if self.exists("image", image)? {
            Ok(())
        } else {
            Err(PodmanError::ImageMissing {
                image: image.to_owned(),
                user: self
                    .account
                    .as_ref()
                    .map(|account| account.user.name.clone()),
            })
        }
    }

    /// Ends and removes the container called `name`, if there is one.
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn remove_container(&self, name: &str) -> Result<(), CommandError> {
        if self.exists("container", name)? {
            self.output(&["rm", "--force", "--ignore", "--", name])?;
        }
        Ok(())
    }

    /// podman-image-exists(1), podman-container-exists(1)
    fn exists(&self, kind: &str, name: &str) -> Result<bool, CommandError> {
        match self.output(&[kind, "exists", "--", name]) {
            Ok(_) => Ok(true),
            // 1 is "no", anything else a failure.
            Err(CommandError::Failed {
                exit: Exit::Code(1),
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a rootless user's pause process, as any of its commands does.
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn make_pause_process(&self) -> Result<(), CommandError> {
        self.output(&["unshare", "true"]).map(drop)
    }
}

/// The OCI runtime that Podman's log of its start names, unless it has a path with
/// something to escape.
fn default_runtime(log: &str) -> Option<PathBuf> {
    const BEFORE: &str = r#"msg="Using OCI runtime \""#;
    let line = log
        .lines()
        .rev()
        .find_map(|line| line.split_once(BEFORE))?
        .1;
    let path = line.strip_suffix(r#"\"""#)?;
    (path.starts_with('/') && !path.contains('\\')).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_runtime() {
        let line =
            r#"time="2026-01-02T03:04:05Z" level=debug msg="Using OCI runtime \"/usr/bin/crun\"""#;
        let log = format!("time=x level=info msg=y\n{line}\ntime=x level=debug msg=z\n");
        assert_eq!(default_runtime(&log), Some("/usr/bin/crun".into()));
        for (from, to) in [
            ("crun", r#"c\\\"run"#),
            ("/usr/bin/crun", "crun"),
            ("Using", "Found"),
            (r#"\"""#, ""),
        ] {
            let log = log.replace(from, to);
            assert_eq!(default_runtime(&log), None, "{log}");
        }
    }
}
