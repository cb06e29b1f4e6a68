//! What this host has for mapping ids of users who are not root.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use podseal_core::doctor::facts::MapTool;

use crate::command;
use crate::host::User;

/// Looks at `program`, which is newuidmap or newgidmap.
#[must_use]
pub fn tool(program: &str) -> MapTool {
    const SETUID: u32 = 0o4000;
    let Some(path) = command::find(program) else {
        return MapTool::Missing;
    };
    let is_setuid_root = fs::metadata(&path)
        .is_ok_and(|metadata| metadata.mode() & SETUID != 0 && metadata.uid() == 0);
    let mut value = [0u8; 64];
    let has_capability = rustix::fs::getxattr(&path, "security.capability", &mut value[..]).is_ok();
    MapTool::Found {
        path,
        is_setuid_root,
        has_capability,
    }
}

/// How many ids `user` has in `file`, which is /etc/subuid or /etc/subgid.
///
/// # Errors
/// The file is there and cannot be read.
pub fn subordinate_ids(file: &Path, user: &User) -> io::Result<u64> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(count(&text, user)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// How many ids the lines of `text` (subuid(5)) give to `user`.
fn count(text: &str, user: &User) -> u64 {
    let uid = user.uid.as_raw().to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let owner = fields.next()?;
            let _first: u64 = fields.next()?.trim().parse().ok()?;
            let count: u64 = fields.next()?.trim().parse().ok()?;
            (owner == user.name || owner == uid).then_some(count)
        })
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Gid, Uid};

    #[test]
    fn subordinate_ids_are_by_name_or_number() {
        let user = User {
            uid: Uid::from_raw(1000),
            gid: Gid::from_raw(1000),
            name: "ann".into(),
        };
        for (text, expected) in [
            ("ann:100000:65536\n", 65536),
            ("1000:100000:65536", 65536),
            ("bob:100000:65536\nann:165536:65536\nann:300000:10", 65546),
            ("anna:100000:65536", 0),
            ("ann:100000:0", 0),
            ("ann:x:5", 0),
            ("ann", 0),
            ("", 0),
        ] {
            assert_eq!(count(text, &user), expected, "{text:?}");
        }
    }

    #[test]
    fn a_program_without_rights_is_seen() {
        assert_eq!(tool("no-such-program-here"), MapTool::Missing);
        let MapTool::Found {
            is_setuid_root,
            has_capability,
            ..
        } = tool("true")
        else {
            panic!("true is not in PATH");
        };
        assert!(!is_setuid_root && !has_capability);
    }
}
