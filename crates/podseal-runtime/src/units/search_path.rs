//! The directories in which a manager looks for units.
//!
//! Follows "Unit File Load Path" in `systemd.unit(5)` and systemd's
//! `lookup_paths_init()`, compared with `systemd-analyze unit-paths` 252.

use std::env;
use std::path::Path;

use podseal_core::unit::effective::Scope;

use super::host::Account;

/// What the search path depends on.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    /// SYSTEMD_UNIT_PATH: what is there replaces the rest, or comes before it
    /// where it ends with a colon.
    unit_path: Option<String>,
    /// XDG_CONFIG_HOME.
    pub(super) config_home: Option<String>,
    /// XDG_CONFIG_DIRS.
    config_dirs: Vec<String>,
    /// XDG_RUNTIME_DIR, which the manager always has.
    pub(super) runtime: Option<String>,
    /// XDG_DATA_HOME.
    data_home: Option<String>,
    /// XDG_DATA_DIRS.
    data_dirs: Vec<String>,
    /// Where relative parts of SYSTEMD_UNIT_PATH begin.
    working_directory: String,
    /// Whether /lib is but another name of /usr/lib.
    merged_usr: bool,
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// The XDG specification has relative paths ignored.
fn directory(name: &str) -> Option<String> {
    variable(name).filter(|path| path.starts_with('/'))
}

fn directories(name: &str, default: &str) -> Vec<String> {
    variable(name)
        .as_deref()
        .unwrap_or(default)
        .split(':')
        .filter(|path| path.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

impl Environment {
    /// This process's.
    pub(super) fn current(account: &Account) -> Self {
        let in_home = |path: &str| Some(format!("{}/{path}", account.home.as_deref()?));
        let working_directory = env::current_dir().ok();
        Self {
            unit_path: variable("SYSTEMD_UNIT_PATH"),
            config_home: directory("XDG_CONFIG_HOME").or_else(|| in_home(".config")),
            config_dirs: directories("XDG_CONFIG_DIRS", "/etc/xdg"),
            runtime: directory("XDG_RUNTIME_DIR").or_else(|| {
                let login = format!("/run/user/{}", account.uid);
                Path::new(&login).is_dir().then_some(login)
            }),
            data_home: directory("XDG_DATA_HOME").or_else(|| in_home(".local/share")),
            data_dirs: directories("XDG_DATA_DIRS", "/usr/local/share:/usr/share"),
            working_directory: working_directory
                .and_then(|path| path.to_str().map(str::to_owned))
                .unwrap_or_default(),
            merged_usr: Path::new("/lib").is_symlink(),
        }
    }
}

/// The directories, the strongest first, none twice.
pub(super) fn search_path(scope: Scope, environment: &Environment) -> Vec<String> {
    let (chosen, and_default) = match &environment.unit_path {
        None => ("", true),
        Some(path) => match path.strip_suffix(':') {
            Some(path) => (path, true),
            None => (path.as_str(), false),
        },
    };
    let mut paths: Vec<String> = chosen
        .split(':')
        .filter(|path| !path.is_empty())
        .map(|path| {
            if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("{}/{path}", environment.working_directory)
            }
        })
        .collect();
    if and_default {
        paths.extend(match scope {
            Scope::User => user(environment),
            Scope::System => system(environment),
        });
    }
    let mut unique: Vec<String> = Vec::with_capacity(paths.len());
    for path in paths {
        let path = simplified(&path);
        if !unique.contains(&path) {
            unique.push(path);
        }
    }
    unique
}

/// The directory in which the manager has generators put units.
pub(super) fn generated(scope: Scope, uid: u32, environment: &Environment) -> String {
    match (scope, &environment.runtime) {
        (Scope::User, Some(runtime)) => format!("{runtime}/systemd/generator"),
        (Scope::User, None) => format!("/run/user/{uid}/systemd/generator"),
        (Scope::System, _) => "/run/systemd/generator".to_owned(),
    }
}

/// A path without empty and `.` components.
fn simplified(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.fold(String::new(), |path, part| path + "/" + part)
}

fn user(environment: &Environment) -> Vec<String> {
    let below = |directory: &Option<String>, name: &str| {
        let directory = directory.as_ref()?;
        Some(format!("{directory}/systemd/{name}"))
    };
    let config = |name| below(&environment.config_home, name);
    // Without a runtime directory the manager has none of those.
    let runtime = |name| below(&environment.runtime, name);
    let all = |directories: &[String]| -> Vec<Option<String>> {
        let paths = directories.iter();
        paths
            .map(|path| Some(format!("{path}/systemd/user")))
            .collect()
    };
    let fixed = |path: &str| Some(path.to_owned());

    let mut paths = vec![
        config("user.control"),
        runtime("user.control"),
        runtime("transient"),
        runtime("generator.early"),
        config("user"),
    ];
    paths.extend(all(&environment.config_dirs));
    paths.extend([
        fixed("/etc/systemd/user"),
        runtime("user"),
        fixed("/run/systemd/user"),
        runtime("generator"),
        below(&environment.data_home, "user"),
    ]);
    paths.extend(all(&environment.data_dirs));
    paths.extend([
        fixed("/usr/local/lib/systemd/user"),
        fixed("/usr/local/share/systemd/user"),
        fixed("/usr/lib/systemd/user"),
        fixed("/usr/share/systemd/user"),
        runtime("generator.late"),
    ]);
    paths.into_iter().flatten().collect()
}

fn system(environment: &Environment) -> Vec<String> {
    // Where /lib is another name of /usr/lib it still has to be known: links
    // made by an older system lead there. But the better name comes first.
    let vendor = if environment.merged_usr {
        ["/usr/lib/systemd/system", "/lib/systemd/system"]
    } else {
        ["/lib/systemd/system", "/usr/lib/systemd/system"]
    };
    [
        "/etc/systemd/system.control",
        "/run/systemd/system.control",
        "/run/systemd/transient",
        "/run/systemd/generator.early",
        "/etc/systemd/system",
        "/etc/systemd/system.attached",
        "/run/systemd/system",
        "/run/systemd/system.attached",
        "/run/systemd/generator",
        "/usr/local/lib/systemd/system",
    ]
    .into_iter()
    .chain(vendor)
    .chain(["/run/systemd/generator.late"])
    .map(str::to_owned)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment {
            config_home: Some("/c".into()),
            config_dirs: vec!["/cd1".into(), "/cd2".into()],
            runtime: Some("/r".into()),
            data_home: Some("/d".into()),
            data_dirs: vec!["/usr/share".into()],
            working_directory: "/w".into(),
            ..Environment::default()
        }
    }

    /// What `systemd-analyze --user unit-paths` of systemd 252 says.
    #[test]
    fn of_the_user_manager() {
        let paths = [
            "/c/systemd/user.control",
            "/r/systemd/user.control",
            "/r/systemd/transient",
            "/r/systemd/generator.early",
            "/c/systemd/user",
            "/cd1/systemd/user",
            "/cd2/systemd/user",
            "/etc/systemd/user",
            "/r/systemd/user",
            "/run/systemd/user",
            "/r/systemd/generator",
            "/d/systemd/user",
            "/usr/share/systemd/user",
            "/usr/local/lib/systemd/user",
            "/usr/local/share/systemd/user",
            "/usr/lib/systemd/user",
            "/r/systemd/generator.late",
        ];
        assert_eq!(search_path(Scope::User, &environment()), paths);
        let no_runtime = Environment {
            runtime: None,
            ..environment()
        };
        let without: Vec<&str> = paths
            .into_iter()
            .filter(|p| !p.starts_with("/r/"))
            .collect();
        assert_eq!(search_path(Scope::User, &no_runtime), without);
    }

    #[test]
    fn of_the_system_manager() {
        let paths = search_path(Scope::System, &environment());
        assert_eq!(paths.len(), 13);
        assert_eq!(paths[0], "/etc/systemd/system.control");
        assert_eq!(paths[10], "/lib/systemd/system");
        let merged = Environment {
            merged_usr: true,
            ..environment()
        };
        let paths = search_path(Scope::System, &merged);
        assert_eq!(paths[10], "/usr/lib/systemd/system");
    }

    #[test]
    fn chosen_by_variable() {
        let cases: &[(&str, &[&str], bool)] = &[
            ("/a:/b", &["/a", "/b"], false),
            ("/a:/b:", &["/a", "/b"], true),
            ("", &[], false),
            (":", &[], true),
            ("rel:/a//b/./c/:rel", &["/w/rel", "/a/b/c"], false),
            ("/c/systemd/user:", &["/c/systemd/user"], true),
        ];
        let default = search_path(Scope::User, &environment());
        for (value, first, and_default) in cases {
            let found = search_path(
                Scope::User,
                &Environment {
                    unit_path: Some((*value).to_owned()),
                    ..environment()
                },
            );
            let rest = default.iter().map(String::as_str);
            let rest = rest.filter(|path| *and_default && !first.contains(path));
            let expected: Vec<&str> = first.iter().copied().chain(rest).collect();
            assert_eq!(found, expected, "{value}");
        }
    }
}
