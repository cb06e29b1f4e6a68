//! Another user that root does something as.
//!
//! What belongs to the user (a home directory, a run-time directory, Podman's
//! files) is never looked at as root: a command is started that has given up
//! everything that the user does not have, see [`crate::command::run_as`].

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use podseal_sys::spawn::Credentials;
use rustix::process::{Gid, Uid};

use crate::command::{self, CommandError, LIMIT};
use crate::host::User;
use crate::id_map;

/// A user other than root, as /etc/passwd and /etc/group have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: User,
    home: String,
    shell: String,
    /// All groups, the user's own included.
    groups: Vec<u32>,
}

/// Podman cannot run as a user.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Only root can become somebody else.
    #[error("only root can do this as {name}")]
    NotRoot {
        /// The user.
        name: String,
    },
    /// A number.
    #[error("{name} is the number of a user, not a name")]
    Number {
        /// As given.
        name: String,
    },
    /// There is none of this name.
    #[error("/etc/passwd has no user {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Root itself.
    #[error("{name} is root, whose Podman is not rootless")]
    Root {
        /// The name.
        name: String,
    },
    /// There is no such group.
    #[error("/etc/group has no group {name}")]
    UnknownGroup {
        /// Its name.
        name: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The user has no range of subordinate ids.
    #[error("{file} has no range of ids for {name}")]
    NoSubordinateIds {
        /// /etc/subuid or /etc/subgid.
        file: &'static str,
        /// The user's name.
        name: String,
    },
    /// The user may not execute podseal.
    #[error("{name} cannot execute {program}")]
    CannotExecute {
        /// The user's name.
        name: String,
        /// Its path.
        program: String,
        /// Why.
        source: CommandError,
    },
    /// The user's manager does not run.
    #[error("{name} has no run-time directory: there is no {}", path.display())]
    NoRuntimeDirectory {
        /// The user's name.
        name: String,
        /// Where it would be.
        path: PathBuf,
    },
}

impl AccountError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotRoot { .. } => {
                "run it as root, or leave the user out to do it as yourself".into()
            }
            Self::Number { .. } => "give the user's name".into(),
            Self::Unknown { .. } => {
                "give a user of this host; users of DynamicUser= and of directory services have no ranges of ids for rootless Podman".into()
            }
            Self::UnknownGroup { .. } => "give a group of this host".into(),
            Self::Root { .. } => "leave the user out for root's own Podman".into(),
            Self::Read { .. } => "check that it is a text file".into(),
            Self::NoSubordinateIds { name, .. } => format!(
                "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}, with ranges that no other user has"
            ),
            Self::CannotExecute { .. } => {
                "install podseal where the user may execute it, such as /usr/local/bin".into()
            }
            Self::NoRuntimeDirectory { name, .. } => {
                format!("loginctl enable-linger {name}")
            }
        }
    }
}

impl Account {
    /// The user of this name, with what rootless Podman needs.
    ///
    /// # Errors
    /// See [`AccountError`].
    pub fn named(name: &str) -> Result<Self, AccountError> {
        let passwd = read("/etc/passwd")?;
        let group = read("/etc/group")?;
        let account = Self::read(name, &passwd, &group)?;
        for file in ["/etc/subuid", "/etc/subgid"] {
            let path = Path::new(file);
            let count = id_map::subordinate_ids(path, &account.user);
            let count = count.map_err(|source| AccountError::Read {
                path: path.into(),
                source,
            })?;
            if count == 0 {
                let name = name.to_owned();
                return Err(AccountError::NoSubordinateIds { file, name });
            }
        }
        Ok(account)
    }

    /// The same, when a command can be run as this user.
    ///
    /// # Errors
    /// It cannot.
    pub fn ready(name: &str) -> Result<Self, AccountError> {
        let account = Self::named(name)?;
        account.require_ready()?;
        Ok(account)
    }

    fn read(name: &str, passwd: &str, group: &str) -> Result<Self, AccountError> {
        let name = name.to_owned();
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AccountError::Number { name });
        }
        // NAME:PASSWORD:UID:GID:COMMENT:HOME:SHELL, passwd(5).
        let mut lines = passwd.lines().map(|line| line.split(':').collect());
        let entry = lines.find_map(|fields: Vec<&str>| match fields[..] {
            [found, _, uid, gid, _, home, shell] if found == name => {
                Some((uid.parse().ok()?, gid.parse().ok()?, home, shell))
            }
            _ => None,
        });
        let Some((uid, gid, home, shell)) = entry else {
            return Err(AccountError::Unknown { name });
        };
        if uid == 0 {
            return Err(AccountError::Root { name });
        }
        // NAME:PASSWORD:GID:MEMBERS, group(5).
        let of_group = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            match fields[..] {
                [_, _, gid, members] if members.split(',').any(|member| member == name) => {
                    gid.parse().ok()
                }
                _ => None,
            }
        };
        let mut groups: Vec<u32> = group.lines().filter_map(of_group).collect();
        groups.push(gid);
        groups.sort_unstable();
        groups.dedup();
        let or = |text: &str, other: &str| {
            let text = if text.starts_with('/') { text } else { other };
            text.to_owned()
        };
        Ok(Self {
            user: User {
                uid: Uid::from_raw(uid),
                gid: Gid::from_raw(gid),
                name,
            },
            home: or(home, "/"),
            shell: or(shell, "/bin/sh"),
            groups,
        })
    }

    /// The same in the groups of a service: `group` in the place of the user's
    /// own, and `more` beside the others (`Group=` and `SupplementaryGroups=`,
    /// systemd.exec(5)).
    ///
    /// # Errors
    /// There is no such group.
    pub fn in_groups<'a>(
        self,
        group: Option<&str>,
        more: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, AccountError> {
        let file = read("/etc/group")?;
        self.in_groups_of(&file, group, more)
    }

    fn in_groups_of<'a>(
        mut self,
        file: &str,
        group: Option<&str>,
        more: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, AccountError> {
        let id = |name: &str| {
            let named = file.lines().find_map(|line| {
                let fields: Vec<&str> = line.split(':').collect();
                match fields[..] {
                    [found, _, gid, _] if found == name => gid.parse().ok(),
                    _ => None,
                }
            });
            let id = named.or_else(|| name.parse().ok());
            id.ok_or_else(|| AccountError::UnknownGroup {
                name: name.to_owned(),
            })
        };
        if let Some(group) = group {
            let (own, instead) = (self.user.gid.as_raw(), id(group)?);
            self.groups.retain(|found| *found != own);
            self.groups.push(instead);
            self.user.gid = Gid::from_raw(instead);
        }
        for name in more {
            self.groups.push(id(name)?);
        }
        self.groups.sort_unstable();
        self.groups.dedup();
        Ok(self)
    }

    /// The directory that logind makes for the user, see pam_systemd(8).
    #[must_use]
    pub fn runtime_directory(&self) -> PathBuf {
        PathBuf::from(format!("/run/user/{}", self.user.uid.as_raw()))
    }

    /// That root may become this user, and the user's run-time directory is
    /// there.
    ///
    /// # Errors
    /// It is not.
    pub fn require_ready(&self) -> Result<(), AccountError> {
        let name = self.user.name.clone();
        if !User::current().uid.is_root() {
            return Err(AccountError::NotRoot { name });
        }
        let path = self.runtime_directory();
        let is_own = fs::symlink_metadata(&path)
            .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == self.user.uid.as_raw());
        if is_own {
            Ok(())
        } else {
            Err(AccountError::NoRuntimeDirectory { name, path })
        }
    }

    /// That the user may execute podseal, as root can tell.
    ///
    /// # Errors
    /// The user may not.
    pub fn require_podseal(&self, podseal: &str) -> Result<(), AccountError> {
        if !User::current().uid.is_root() {
            return Ok(());
        }
        let command = [podseal, "--version"].map(str::to_owned);
        let output = command::run_as(Some(self), &command, LIMIT);
        let failed = |source| AccountError::CannotExecute {
            name: self.user.name.clone(),
            program: podseal.to_owned(),
            source,
        };
        output.and_then(command::Output::success).map_err(failed)?;
        Ok(())
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials {
            uid: self.user.uid.as_raw(),
            gid: self.user.gid.as_raw(),
            groups: &self.groups,
        }
    }

    /// What systemd gives a service with `User=`, and XDG_RUNTIME_DIR.
    pub(crate) fn environment(&self) -> Vec<(OsString, OsString)> {
        const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let runtime = self.runtime_directory().into_os_string();
        let text = [
            ("PATH", PATH),
            ("HOME", &self.home),
            ("USER", &self.user.name),
            ("LOGNAME", &self.user.name),
            ("SHELL", &self.shell),
        ];
        let text = text.map(|(name, value)| (name.into(), value.into()));
        text.into_iter()
            .chain([("XDG_RUNTIME_DIR".into(), runtime)])
            .collect()
    }
}

fn read(path: &str) -> Result<String, AccountError> {
    fs::read_to_string(path).map_err(|source| AccountError::Read {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nbroken\n\
        web:x:990:980:Web server:/var/lib/web:/usr/sbin/nologin\nbare:x:991:981:::\n";
    const GROUP: &str =
        "root:x:0:\nweb:x:980:\nvideo:x:44:bob,web\nwebby:x:45:webby\naudio:x:29:web\n";

    #[test]
    fn a_user_has_its_own_groups_and_home() {
        let web = Account::read("web", PASSWD, GROUP).unwrap();
        assert_eq!(web.credentials().groups, [29, 44, 980]);
        assert_eq!((web.credentials().uid, web.credentials().gid), (990, 980));
        let environment = web.environment();
        for (name, value) in [
            ("HOME", "/var/lib/web"),
            ("USER", "web"),
            ("XDG_RUNTIME_DIR", "/run/user/990"),
        ] {
            assert!(environment.contains(&(name.into(), value.into())), "{name}");
        }
        let bare = Account::read("bare", PASSWD, GROUP).unwrap();
        assert_eq!((bare.home.as_str(), bare.shell.as_str()), ("/", "/bin/sh"));
    }

    #[test]
    fn a_service_has_groups_of_its_own() {
        let in_groups = |group: Option<&str>, more: &[&'static str]| {
            let web = Account::read("web", PASSWD, GROUP).unwrap();
            let found = web.in_groups_of(GROUP, group, more.iter().copied());
            let found = found.map_err(|error| error.to_string())?;
            let credentials = found.credentials();
            Ok::<_, String>((credentials.gid, credentials.groups.to_vec()))
        };
        for (group, more, gid, groups) in [
            (None, &[][..], 980, &[29, 44, 980][..]),
            (Some("webby"), &[], 45, &[29, 44, 45]),
            (Some("7"), &["webby", "44"], 7, &[7, 29, 44, 45]),
            (Some("web"), &[], 980, &[29, 44, 980]),
        ] {
            assert_eq!(in_groups(group, more), Ok((gid, groups.to_vec())));
        }
        let error = in_groups(None, &["no-such"]).unwrap_err();
        assert_eq!(error, "/etc/group has no group no-such");
    }

    #[test]
    fn who_cannot_be_become() {
        for (name, expected) in [
            ("990", "990 is the number of a user, not a name"),
            ("nobody-here", "/etc/passwd has no user nobody-here"),
            ("broken", "/etc/passwd has no user broken"),
            ("", "/etc/passwd has no user "),
            ("root", "root is root, whose Podman is not rootless"),
            ("toor", "toor is root, whose Podman is not rootless"),
        ] {
            let error = Account::read(name, PASSWD, GROUP).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
