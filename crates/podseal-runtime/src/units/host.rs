//! What a manager puts in for specifiers, see "Specifiers" in `systemd.unit(5)`.

use std::collections::BTreeMap;
use std::env;
use std::fs;

use podseal_core::unit::effective::Scope;
use rustix::process::{getgid, getuid};

use super::search_path::Environment;

/// The account that a manager runs as, as far as /etc/passwd and /etc/group
/// tell. No name service is asked: a static binary cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    gid: u32,
    name: Option<String>,
    group: Option<String>,
    pub(super) home: Option<String>,
    shell: Option<String>,
}

impl Account {
    /// The calling user's, or root's for the system manager.
    pub(super) fn of(scope: Scope) -> Self {
        let (uid, gid) = match scope {
            Scope::User => (getuid().as_raw(), getgid().as_raw()),
            Scope::System => (0, 0),
        };
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let mut account = Self::read(uid, gid, &read("/etc/passwd"), &read("/etc/group"));
        if scope == Scope::User {
            let home = env::var("HOME").ok().filter(|home| home.starts_with('/'));
            account.home = home.or(account.home);
        }
        account
    }

    fn read(uid: u32, gid: u32, passwd: &str, group: &str) -> Self {
        // NAME:PASSWORD:ID:…, see passwd(5) and group(5).
        let entry = |text: &str, id: u32| -> Vec<String> {
            text.lines()
                .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>())
                .find(|fields| fields.get(2).is_some_and(|field| field.parse() == Ok(id)))
                .unwrap_or_default()
        };
        let user = entry(passwd, uid);
        let path = |field: usize| user.get(field).filter(|p| p.starts_with('/')).cloned();
        Self {
            uid,
            gid,
            name: user.first().cloned(),
            group: entry(group, gid).into_iter().next(),
            home: path(5),
            shell: path(6),
        }
    }
}

/// The values by letter. Left out, and so left in the text as they are, are
/// those that depend on systemd's version (`%S`, `%L`, `%D`) and those of
/// os-release(5) and machine-info(5).
pub(super) fn specifiers(
    scope: Scope,
    account: &Account,
    environment: &Environment,
) -> BTreeMap<char, String> {
    let line = |path: &str| -> Option<String> {
        let text = fs::read_to_string(path).ok()?;
        Some(text.trim_end().to_owned()).filter(|line| !line.is_empty())
    };
    let id = |path: &str| Some(line(path)?.replace('-', "")).filter(|id| id.len() == 32);
    let hostname = line("/proc/sys/kernel/hostname");
    let short = hostname.as_deref().and_then(|name| name.split('.').next());
    let architecture = match env::consts::ARCH {
        "x86_64" => Some("x86-64"),
        "aarch64" => Some("arm64"),
        _ => None,
    };
    let (cache, config, runtime) = match scope {
        Scope::User => (
            cache_home(account),
            environment.config_home.clone(),
            environment.runtime.clone(),
        ),
        Scope::System => (
            Some("/var/cache".into()),
            Some("/etc".into()),
            Some("/run".into()),
        ),
    };
    let mut values = vec![
        ('a', architecture.map(str::to_owned)),
        ('b', id("/proc/sys/kernel/random/boot_id")),
        ('C', cache),
        ('E', config),
        ('g', account.group.clone()),
        ('G', Some(account.gid.to_string())),
        ('h', account.home.clone()),
        ('l', short.map(str::to_owned)),
        ('H', hostname.clone()),
        ('m', id("/etc/machine-id")),
        ('s', account.shell.clone()),
        ('t', runtime),
        ('T', Some("/tmp".into())),
        ('u', account.name.clone()),
        ('U', Some(account.uid.to_string())),
        ('v', line("/proc/sys/kernel/osrelease")),
        ('V', Some("/var/tmp".into())),
    ];
    if scope == Scope::System {
        values.push(('S', Some("/var/lib".into())));
        values.push(('L', Some("/var/log".into())));
    }
    let known = values.into_iter();
    known
        .filter_map(|(letter, value)| Some((letter, value?)))
        .collect()
}

fn cache_home(account: &Account) -> Option<String> {
    let chosen = env::var("XDG_CACHE_HOME").ok();
    chosen
        .filter(|path| path.starts_with('/'))
        .or_else(|| Some(format!("{}/.cache", account.home.as_deref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:100::/home/ann:\n";
        let group = "root:x:0:\nusers:x:100:ann\n";
        let ann = Account::read(1000, 100, passwd, group);
        assert_eq!(ann.name.as_deref(), Some("ann"));
        assert_eq!(ann.group.as_deref(), Some("users"));
        assert_eq!(ann.home.as_deref(), Some("/home/ann"));
        assert_eq!(ann.shell, None);
        let nobody = Account::read(1, 1, passwd, group);
        assert_eq!((nobody.name, nobody.group, nobody.home), (None, None, None));
    }

    #[test]
    fn of_the_system_manager() {
        let account = Account::read(0, 0, "root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n");
        let values = specifiers(Scope::System, &account, &Environment::default());
        for (letter, value) in [('u', "root"), ('U', "0"), ('h', "/root"), ('t', "/run")] {
            assert_eq!(values.get(&letter).map(String::as_str), Some(value));
        }
        assert!(values.contains_key(&'v') && values.contains_key(&'H'));
    }
}
