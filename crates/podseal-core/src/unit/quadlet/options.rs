//! Settings that become options of `podman run` by a rule that a table can
//! hold. The order of the rows is the order of the options; the generator's own
//! is random among some of them.

use super::Generator;
use super::command::PodmanCommand;
use super::values::{Section, Value};

/// The last value, behind the option.
pub(super) const TEXT: &[(&str, &str)] = &[
    ("IP", "--ip"),
    ("IP6", "--ip6"),
    ("HostName", "--hostname"),
    ("Memory", "--memory"),
    ("PidsLimit", "--pids-limit"),
    ("Pull", "--pull"),
    ("Retry", "--retry"),
    ("RetryDelay", "--retry-delay"),
    ("ShmSize", "--shm-size"),
    ("StopSignal", "--stop-signal"),
    ("StopTimeout", "--stop-timeout"),
    ("Timezone", "--tz"),
    ("WorkingDir", "--workdir"),
];

/// Each value, behind an option of its own.
pub(super) const ALL: &[(&str, &str)] = &[
    ("AddHost", "--add-host"),
    ("DNS", "--dns"),
    ("DNSOption", "--dns-option"),
    ("DNSSearch", "--dns-search"),
    ("GroupAdd", "--group-add"),
    ("NetworkAlias", "--network-alias"),
    ("Tmpfs", "--tmpfs"),
    ("Ulimit", "--ulimit"),
];

/// A switch.
pub(super) const SWITCHES: &[(&str, &str)] = &[
    ("EnvironmentHost", "--env-host"),
    ("HttpProxy", "--http-proxy"),
    ("ReadOnlyTmpfs", "--read-only-tmpfs"),
    ("RunInit", "--init"),
];

/// `--security-opt`: switches, then prefixes of the last value.
const SECURITY_SWITCHES: &[(&str, &str)] = &[
    ("SecurityLabelDisable", "label=disable"),
    ("SecurityLabelNested", "label=nested"),
];
const SECURITY_TEXT: &[(&str, &str)] = &[
    ("SecurityLabelType", "label=type:"),
    ("SecurityLabelFileType", "label=filetype:"),
    ("SecurityLabelLevel", "label=level:"),
];

/// Names and values, sorted by name.
pub(super) const PAIRS: &[(&str, &str)] = &[
    ("Environment", "--env"),
    ("Label", "--label"),
    ("Annotation", "--annotation"),
];

/// Health checks.
pub(super) const HEALTH: &[(&str, &str)] = &[
    ("HealthCmd", "--health-cmd"),
    ("HealthInterval", "--health-interval"),
    ("HealthOnFailure", "--health-on-failure"),
    ("HealthLogDestination", "--health-log-destination"),
    ("HealthMaxLogCount", "--health-max-log-count"),
    ("HealthMaxLogSize", "--health-max-log-size"),
    ("HealthRetries", "--health-retries"),
    ("HealthStartPeriod", "--health-start-period"),
    ("HealthTimeout", "--health-timeout"),
    ("HealthStartupCmd", "--health-startup-cmd"),
    ("HealthStartupInterval", "--health-startup-interval"),
    ("HealthStartupRetries", "--health-startup-retries"),
    ("HealthStartupSuccess", "--health-startup-success"),
    ("HealthStartupTimeout", "--health-startup-timeout"),
];

pub(super) fn text(section: &Section<'_>, table: &[(&str, &str)], command: &mut PodmanCommand) {
    for (key, option) in table {
        if let Some(Value { text, origin }) = section.text(key) {
            command.add([option, &text], Some(&origin));
        }
    }
}

pub(super) fn all(section: &Section<'_>, table: &[(&str, &str)], command: &mut PodmanCommand) {
    for (key, option) in table {
        for Value { text, origin } in section.all(key) {
            command.add([option, &text], Some(&origin));
        }
    }
}

pub(super) fn switches(section: &Section<'_>, table: &[(&str, &str)], command: &mut PodmanCommand) {
    for (key, option) in table {
        if let Some((on, origin)) = section.boolean(key) {
            command.add_switch(option, on, &origin);
        }
    }
}

pub(super) fn pairs(section: &Section<'_>, command: &mut PodmanCommand) {
    for (key, option) in PAIRS {
        for (name, (value, origin)) in section.pairs(key) {
            let word = match value {
                Some(value) => format!("{name}={value}"),
                None => name,
            };
            command.add([option, &word], Some(&origin));
        }
    }
}

/// `NoNewPrivileges=` and `SecurityLabel…=`.
pub(super) fn security(section: &Section<'_>, command: &mut PodmanCommand) {
    if let Some((true, origin)) = section.boolean("NoNewPrivileges") {
        command.add(["--security-opt=no-new-privileges"], Some(&origin));
    }
    for (key, option) in SECURITY_SWITCHES {
        if let Some((true, origin)) = section.boolean(key) {
            command.add(["--security-opt", option], Some(&origin));
        }
    }
    for (key, prefix) in SECURITY_TEXT {
        if let Some(Value { text, origin }) = section.text(key) {
            command.add(
                ["--security-opt", &format!("{prefix}{text}")],
                Some(&origin),
            );
        }
    }
}

/// Capabilities in lower case, and kernel parameters.
pub(super) fn capabilities(section: &Section<'_>, command: &mut PodmanCommand) {
    for (key, option) in [
        ("DropCapability", "--cap-drop"),
        ("AddCapability", "--cap-add"),
    ] {
        for Value { text, origin } in section.strings(key) {
            command.add([option, &text.to_lowercase()], Some(&origin));
        }
    }
    for Value { text, origin } in section.strings("Sysctl") {
        command.add(["--sysctl", &text], Some(&origin));
    }
}

/// `Entrypoint=`, whose value may begin with a dash.
pub(super) fn entrypoint(section: &Section<'_>, command: &mut PodmanCommand) {
    if let Some(Value { text, origin }) = section.text("Entrypoint") {
        if section.generator > Generator::V5_4 {
            command.add([&format!("--entrypoint={text}")], Some(&origin));
        } else {
            command.add(["--entrypoint", &text], Some(&origin));
        }
    }
}
