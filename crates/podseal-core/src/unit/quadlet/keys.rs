//! The keys that the generator knows; with any other it makes no service.

use super::{Generator, QuadletError, QuadletFile};

/// The keys of `[Container]`, `podman-systemd.unit(5)`.
const CONTAINER: &[&str] = &[
    "AddCapability",
    "AddDevice",
    "AddHost",
    "Annotation",
    "AutoUpdate",
    "CgroupsMode",
    "ContainerName",
    "ContainersConfModule",
    "DNS",
    "DNSOption",
    "DNSSearch",
    "DropCapability",
    "Entrypoint",
    "Environment",
    "EnvironmentFile",
    "EnvironmentHost",
    "Exec",
    "ExposeHostPort",
    "GIDMap",
    "GlobalArgs",
    "Group",
    "GroupAdd",
    "HealthCmd",
    "HealthInterval",
    "HealthLogDestination",
    "HealthMaxLogCount",
    "HealthMaxLogSize",
    "HealthOnFailure",
    "HealthRetries",
    "HealthStartPeriod",
    "HealthStartupCmd",
    "HealthStartupInterval",
    "HealthStartupRetries",
    "HealthStartupSuccess",
    "HealthStartupTimeout",
    "HealthTimeout",
    "HostName",
    "IP",
    "IP6",
    "Image",
    "Label",
    "LogDriver",
    "LogOpt",
    "Mask",
    "Mount",
    "Network",
    "NetworkAlias",
    "NoNewPrivileges",
    "Notify",
    "PidsLimit",
    "Pod",
    "PodmanArgs",
    "PublishPort",
    "Pull",
    "ReadOnly",
    "ReadOnlyTmpfs",
    // Undocumented since they are deprecated.
    "RemapGid",
    "RemapUid",
    "RemapUidSize",
    "RemapUsers",
    "Rootfs",
    "RunInit",
    "SeccompProfile",
    "Secret",
    "SecurityLabelDisable",
    "SecurityLabelFileType",
    "SecurityLabelLevel",
    "SecurityLabelNested",
    "SecurityLabelType",
    "ServiceName",
    "ShmSize",
    "StartWithPod",
    "StopSignal",
    "StopTimeout",
    "SubGIDMap",
    "SubUIDMap",
    "Sysctl",
    "Timezone",
    "Tmpfs",
    "UIDMap",
    "Ulimit",
    "Unmask",
    "User",
    "UserNS",
    // Deprecated.
    "VolatileTmp",
    "Volume",
    "WorkingDir",
];

/// Those that the older generator does not know.
const CONTAINER_V5_8: &[&str] = &[
    "AppArmor",
    "HttpProxy",
    "Memory",
    "ReloadCmd",
    "ReloadSignal",
    "Retry",
    "RetryDelay",
];

/// Refuses a file with a key that this generator does not know.
pub(super) fn check(file: &QuadletFile, generator: Generator) -> Result<(), QuadletError> {
    let in_container = |key: &str| {
        CONTAINER.contains(&key) || (generator > Generator::V5_4 && CONTAINER_V5_8.contains(&key))
    };
    check_section(file, "Container", in_container)?;
    check_section(file, "Quadlet", |key| key == "DefaultDependencies")
}

fn check_section(
    file: &QuadletFile,
    section: &str,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), QuadletError> {
    let lines = file.groups.get(section).into_iter().flat_map(|g| &g.lines);
    let unknown = lines.into_iter().find(|line| !is_known(&line.key));
    unknown.map_or(Ok(()), |line| {
        Err(QuadletError {
            origin: line.origin.clone(),
            message: format!(
                "unsupported key '{}' in group '{section}' in {}",
                line.key, file.path
            ),
        })
    })
}
