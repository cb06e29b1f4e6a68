//! One unit as the manager has it and as podseal shows it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde_json::{Value, json};

/// What is not the same in `manager`, the properties of
/// org.freedesktop.systemd1(5), and `podseal`, a view of `podseal show`.
pub(super) fn differences(manager: &Value, podseal: &Value, version: u32) -> Vec<String> {
    let mut found = Found {
        manager,
        podseal,
        differences: Vec::new(),
    };
    let state = found.property("LoadState");
    let state = state.as_str().unwrap_or_default();
    found.same("masked", &(state == "masked"), &(podseal["masked"] == true));
    found.same("loads", &(state == "loaded"), &(podseal["loads"] == true));
    if state != "loaded" || podseal["loads"] != true {
        return found.differences;
    }
    found.fields(COMMON);
    found.drop_ins();
    found.dependencies();
    if podseal["kind"] == "service" {
        found.fields(SERVICE);
        found.service(version);
    } else {
        found.fields(SOCKET);
        found.socket();
    }
    found.differences
}

/// Fields of the view whose values are those of a property.
const COMMON: &[(&str, &str)] = &[
    ("fragment", "FragmentPath"),
    ("start_limit_interval_sec", "StartLimitIntervalUSec"),
    ("start_limit_burst", "StartLimitBurst"),
];
const SERVICE: &[(&str, &str)] = &[
    ("service_type", "Type"),
    ("restart", "Restart"),
    ("restart_sec", "RestartUSec"),
    ("timeout_start_sec", "TimeoutStartUSec"),
    ("timeout_stop_sec", "TimeoutStopUSec"),
    ("remain_after_exit", "RemainAfterExit"),
    ("kill_mode", "KillMode"),
    ("kill_signal", "KillSignal"),
    ("notify_access", "NotifyAccess"),
    ("file_descriptor_store_max", "FileDescriptorStoreMax"),
    ("user", "User"),
];
const SOCKET: &[(&str, &str)] = &[
    ("accept", "Accept"),
    ("file_descriptor_name", "FileDescriptorName"),
    ("bind_ipv6_only", "BindIPv6Only"),
    ("bind_to_device", "BindToDevice"),
    ("reuse_port", "ReusePort"),
    ("remove_on_stop", "RemoveOnStop"),
    ("free_bind", "FreeBind"),
    ("no_delay", "NoDelay"),
    ("pass_credentials", "PassCredentials"),
    ("backlog", "Backlog"),
    ("max_connections", "MaxConnections"),
    ("trigger_limit_interval_sec", "TriggerLimitIntervalUSec"),
    ("trigger_limit_burst", "TriggerLimitBurst"),
    ("timeout_sec", "TimeoutUSec"),
];
const DEPENDENCIES: &[&str] = &[
    "After",
    "Before",
    "BindsTo",
    "Conflicts",
    "OnFailure",
    "PartOf",
    "Requires",
    "Requisite",
    "Upholds",
    "Wants",
];
const COMMANDS: &[&str] = &[
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
    "ExecReload",
    "ExecStop",
    "ExecStopPost",
];
const IO_URING: [&str; 3] = ["io_uring_enter", "io_uring_register", "io_uring_setup"];

struct Found<'a> {
    manager: &'a Value,
    podseal: &'a Value,
    differences: Vec<String>,
}

impl Found<'_> {
    fn property(&self, name: &str) -> Value {
        self.manager[name]["data"].clone()
    }

    fn same<T: PartialEq + Debug>(&mut self, what: &str, manager: &T, podseal: &T) {
        if manager != podseal {
            self.differences
                .push(format!("{what}: manager {manager:?}, podseal {podseal:?}"));
        }
    }

    fn fields(&mut self, fields: &[(&str, &str)]) {
        for (field, property) in fields {
            let mut manager = self.property(property);
            // USEC_INFINITY.
            if manager.as_u64() == Some(u64::MAX) {
                manager = json!("infinity");
            }
            let podseal = &self.podseal[field];
            // What podseal leaves to the manager's configuration.
            let is_default = *field != "user" && !matches!(*field, "bind_to_device");
            if podseal.is_null() && is_default {
                continue;
            }
            let podseal = if podseal.is_null() {
                json!("")
            } else {
                podseal.clone()
            };
            self.same(field, &manager, &podseal);
        }
    }

    fn drop_ins(&mut self) {
        let manager = self.property("DropInPaths");
        let manager = manager.as_array().into_iter().flatten().map(text);
        // The manager lists a drop-in that is a link to /dev/null, too.
        let manager: Vec<_> = manager
            .filter(|path| !path.ends_with("-masked.conf"))
            .collect();
        let podseal = self.podseal["dropins"].as_array();
        let podseal: Vec<_> = podseal.into_iter().flatten().map(text).collect();
        self.same("dropins", &manager, &podseal);
    }

    fn dependencies(&mut self) {
        for key in DEPENDENCIES {
            let manager = texts(&self.property(key));
            let podseal = self.podseal["dependencies"][key].as_array();
            let podseal = podseal.into_iter().flatten();
            let podseal: BTreeSet<String> = podseal.map(|d| text(&d["unit"])).collect();
            // Slices and mounts come from elsewhere than the unit's files, as
            // does what the other unit of a pair says.
            let written = manager.iter().filter(|unit| {
                podseal.contains(*unit)
                    || !matches!(unit.rsplit_once('.'), Some((_, "slice" | "mount")))
            });
            let written: BTreeSet<String> = written.cloned().collect();
            self.same(key, &written, &podseal);
        }
    }

    fn service(&mut self, version: u32) {
        for key in COMMANDS {
            let manager = self.property(&format!("{key}Ex"));
            let manager = manager.as_array().into_iter().flatten();
            let manager: Vec<_> = manager
                .map(|command| json!([command[0], command[1], texts(&command[2])]))
                .collect();
            let podseal = self.podseal["commands"][key].as_array();
            let podseal: Vec<_> = podseal
                .into_iter()
                .flatten()
                .map(|one| command(one, version))
                .collect();
            self.same(key, &manager, &podseal);
        }

        let reading = if version <= 260 { "le_v260" } else { "ge_v261" };
        let families = &self.podseal["families"][reading];
        let podseal = (families["mode"] == "allow", texts(&families["set"]));
        let manager = self.property("RestrictAddressFamilies");
        let manager = (manager[0] == true, texts(&manager[1]));
        self.same("families", &manager, &podseal);

        let calls = self.property("SystemCallFilter");
        let (allows, names) = (calls[0] == true, texts(&calls[1]));
        let is_allowed = |call: &&str| {
            names.contains(*call) == allows
            // One with an error number of its own is refused with that.
            && !names.iter().any(|name| name.split_once(':').is_some_and(|(name, _)| name == *call))
        };
        let manager: BTreeSet<_> = IO_URING
            .iter()
            .filter(|call| is_allowed(call))
            .map(|call| (*call).to_owned())
            .collect();
        let podseal = texts(&self.podseal["syscall_filter"]["io_uring"]["allowed"]);
        self.same("io_uring", &manager, &podseal);

        let architectures = texts(&self.property("SystemCallArchitectures"));
        self.same(
            "architectures",
            &architectures,
            &texts(&self.podseal["syscall_architectures"]),
        );

        // What other settings imply is no property.
        let implied = &self.podseal["no_new_privileges_implied_by"];
        if implied.as_array().is_some_and(Vec::is_empty) || self.property("NoNewPrivileges") == true
        {
            let podseal = self.podseal["no_new_privileges"].clone();
            self.same(
                "no_new_privileges",
                &self.property("NoNewPrivileges"),
                &podseal,
            );
        }

        let environment = self.podseal["environment"].as_object();
        let environment = environment.into_iter().flatten();
        let podseal: BTreeSet<_> = environment
            .map(|(name, value)| format!("{name}={}", text(value)))
            .collect();
        self.same(
            "environment",
            &texts(&self.property("Environment")),
            &podseal,
        );
        let files = self.property("EnvironmentFiles");
        let files = files.as_array().into_iter().flatten().map(|file| {
            let dash = if file[1] == true { "-" } else { "" };
            json!(format!("{dash}{}", text(&file[0])))
        });
        let files = Value::Array(files.collect());
        self.same(
            "environment_files",
            &files,
            &self.podseal["environment_files"].clone(),
        );
    }

    fn socket(&mut self) {
        let manager = self.property("Listen");
        let manager: Vec<_> = manager.as_array().into_iter().flatten().cloned().collect();
        let podseal = self.podseal["listen"].as_array().into_iter().flatten();
        let podseal: Vec<_> = podseal.map(listen).collect();
        self.same("listen", &manager, &podseal);

        let mode = self.property("SocketMode").as_u64().unwrap_or_default();
        self.same(
            "socket_mode",
            &json!(format!("{mode:04o}")),
            &self.podseal["socket_mode"].clone(),
        );
        let protocol = match self.podseal["socket_protocol"].as_str() {
            None => 0,
            Some("sctp") => 132,
            Some("udplite") => 136,
            Some(_) => 262,
        };
        self.same(
            "socket_protocol",
            &self.property("SocketProtocol"),
            &json!(protocol),
        );
        // An instance is made for each connection.
        if self.podseal["accept"] == false {
            let service = json!([self.podseal["service"]]);
            self.same("service", &self.property("Triggers"), &service);
        }
    }
}

fn command(command: &Value, version: u32) -> Value {
    let prefixes = &command["prefixes"];
    let privileges = match prefixes["privileges"].as_str() {
        Some("full") => "privileged",
        Some("no-setuid") => "no-setuid",
        // Means nothing to a systemd that takes ambient capabilities for granted.
        Some("ambient-magic") if version < 262 => "ambient",
        _ => "",
    };
    let flags = [
        (prefixes["ignore_failure"] == true, "ignore-failure"),
        (prefixes["no_env_expand"] == true, "no-env-expand"),
        (prefixes["via_shell"] == true, "via-shell"),
        (!privileges.is_empty(), privileges),
    ];
    let flags = flags
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, flag)| (*flag).to_owned());
    json!([
        command["path"],
        command["argv"],
        flags.collect::<BTreeSet<String>>()
    ])
}

fn listen(listen: &Value) -> Value {
    match listen["type"].as_str() {
        Some("path") => json!([listen["key"], listen["path"]]),
        Some("netlink") => json!(["Netlink", listen["address"]]),
        _ => {
            let kind = match listen["kind"].as_str() {
                Some("stream") => "Stream",
                Some("datagram") => "Datagram",
                _ => "SequentialPacket",
            };
            // The manager forgets which kind of vsock was written.
            let address = text(&listen["address"]);
            let address = match address.split_once(':') {
                Some((prefix, rest)) if prefix.starts_with("vsock-") => format!("vsock:{rest}"),
                _ => address,
            };
            json!([kind, address])
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

#[test]
fn a_difference_is_noticed() {
    let manager = json!({
        "LoadState": {"data": "loaded"},
        "Restart": {"data": "always"},
    });
    let podseal = json!({"loads": true, "kind": "service", "restart": "no"});
    let found = differences(&manager, &podseal, 257);
    let expected = "restart: manager String(\"always\"), podseal String(\"no\")";
    assert!(
        found.iter().any(|difference| difference == expected),
        "{found:?}"
    );
    let masked = json!({"LoadState": {"data": "masked"}});
    assert_eq!(differences(&masked, &podseal, 257).len(), 2);
}
