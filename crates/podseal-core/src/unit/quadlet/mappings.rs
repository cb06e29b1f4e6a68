//! Users of the container, and how they map to those of the host.

use super::QuadletError;
use super::command::PodmanCommand;
use super::values::{Section, Value};
use crate::unit::effective::Origin;

fn error(origin: &Origin, message: impl Into<String>) -> QuadletError {
    QuadletError {
        origin: origin.clone(),
        message: message.into(),
    }
}

/// `User=` and `Group=`.
pub(super) fn user(section: &Section<'_>, command: &mut PodmanCommand) -> Result<(), QuadletError> {
    match (section.text("User"), section.text("Group")) {
        (Some(user), None) => command.add(["--user", &user.text], Some(&user.origin)),
        (Some(user), Some(group)) => {
            let both = format!("{}:{}", user.text, group.text);
            command.add(["--user", &both], Some(&user.origin));
        }
        (None, Some(group)) => {
            return Err(error(&group.origin, "invalid Group set without User"));
        }
        (None, None) => {}
    }
    Ok(())
}

/// `UserNS=`, maps, and the deprecated `Remap…=` settings.
pub(super) fn mappings(
    section: &Section<'_>,
    command: &mut PodmanCommand,
) -> Result<(), QuadletError> {
    let before = command.arguments.len();
    let mut add = |option: &str, values: Vec<Value>| {
        for Value { text, origin } in values {
            command.add([option, &text], Some(&origin));
        }
    };
    let one = |key: &str| section.text(key).into_iter().collect();
    add("--userns", one("UserNS"));
    add("--uidmap", section.strings("UIDMap"));
    add("--gidmap", section.strings("GIDMap"));
    add("--subuidname", one("SubUIDMap"));
    add("--subgidname", one("SubGIDMap"));
    if command.arguments.len() == before {
        return remap(section, command);
    }
    let deprecated = ["RemapUid", "RemapGid", "RemapUsers"];
    match deprecated.iter().find_map(|key| section.last(key)) {
        Some(value) => Err(error(
            &value.origin,
            "deprecated Remap keys are set along with explicit mapping keys",
        )),
        None => Ok(()),
    }
}

fn remap(section: &Section<'_>, command: &mut PodmanCommand) -> Result<(), QuadletError> {
    let uids = section.strings("RemapUid");
    let gids = section.strings("RemapGid");
    let Some(users) = section.groups.last(section.name, "RemapUsers") else {
        return unmapped(&uids, &gids);
    };
    let (mode, origin) = (users.value.as_str(), &users.origin);
    match mode {
        "" => unmapped(&uids, &gids),
        "manual" => {
            for (option, maps) in [("--uidmap", uids), ("--gidmap", gids)] {
                for Value { text, origin } in maps {
                    command.add([option, &text], Some(&origin));
                }
            }
            Ok(())
        }
        "auto" => {
            let mut options = prefixed("uidmapping=", &uids);
            options.extend(prefixed("gidmapping=", &gids));
            if let Some(size) = section.number("RemapUidSize").filter(|size| *size > 0) {
                options.push(format!("size={size}"));
            }
            namespace(mode, &options, origin, command);
            Ok(())
        }
        "keep-id" => {
            for (maps, of) in [(&uids, "UID"), (&gids, "GID")] {
                if let Some(second) = maps.get(1) {
                    let message =
                        format!("RemapUsers=keep-id supports only a single value for {of} mapping");
                    return Err(error(&second.origin, message));
                }
            }
            let mut options = prefixed("uid=", &uids);
            options.extend(prefixed("gid=", &gids));
            namespace(mode, &options, origin, command);
            Ok(())
        }
        _ => Err(error(
            origin,
            format!("unsupported RemapUsers option '{mode}'"),
        )),
    }
}

fn unmapped(uids: &[Value], gids: &[Value]) -> Result<(), QuadletError> {
    for (maps, key) in [(uids, "UidMap"), (gids, "GidMap")] {
        if let Some(map) = maps.first() {
            let message = format!("{key} set without RemapUsers");
            return Err(error(&map.origin, message));
        }
    }
    Ok(())
}

fn prefixed(prefix: &str, values: &[Value]) -> Vec<String> {
    let values = values.iter();
    values
        .map(|value| format!("{prefix}{}", value.text))
        .collect()
}

fn namespace(mode: &str, options: &[String], origin: &Origin, command: &mut PodmanCommand) {
    let mode = match options {
        [] => mode.to_owned(),
        options => format!("{mode}:{}", options.join(",")),
    };
    command.add(["--userns", &mode], Some(origin));
}
