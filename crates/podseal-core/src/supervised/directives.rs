//! What becomes of each setting of a unit.

use crate::unit::boolean::parse_boolean;

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It has the effect that systemd gives it.
    Honoured,
    /// It makes no difference here.
    NotNeeded(&'static str),
    /// It has no effect, which a warning says.
    Unsupported(&'static str),
    /// The unit is not run.
    Refused(&'static str),
    /// systemd does not know it either.
    Unknown,
}

use Treatment::{Honoured, NotNeeded, Refused, Unsupported};

/// Sections, keys (with `*` at their end: all that begin so) and what becomes
/// of them. The first that fits counts.
pub struct Row {
    /// The sections, separated by a space.
    pub sections: &'static str,
    /// The keys, separated by spaces.
    pub keys: &'static str,
    /// What becomes of them.
    pub treatment: Treatment,
}

const fn row(sections: &'static str, keys: &'static str, treatment: Treatment) -> Row {
    Row {
        sections,
        keys,
        treatment,
    }
}

/// All rows.
pub const ROWS: &[Row] = &[
    row(
        "Unit",
        "Requires Wants BindsTo PartOf After Before StartLimitIntervalSec StartLimitBurst \
         DefaultDependencies",
        Honoured,
    ),
    row(
        "Unit",
        "Description Documentation SourcePath CollectMode IgnoreOnIsolate IgnoreOnSnapshot \
         AllowIsolate",
        NotNeeded("it is for people, or for systemd's own bookkeeping"),
    ),
    row(
        "Unit",
        "RequiresMountsFor WantsMountsFor",
        NotNeeded("what the user has mounted is there"),
    ),
    row(
        "Install",
        "*",
        NotNeeded("who runs podseal says what is started"),
    ),
    row(
        "Unit",
        "Condition* Assert*",
        Unsupported("conditions are not looked at, and the unit starts in any case"),
    ),
    row(
        "Unit",
        "On* Upholds PropagatesStopTo StopPropagatedFrom Requisite Conflicts \
         JoinsNamespaceOf PropagatesReloadTo ReloadPropagatedFrom",
        Unsupported(
            "of dependencies, only Requires=, BindsTo=, Wants=, PartOf=, After= and Before= count",
        ),
    ),
    row(
        "Unit",
        "StartLimitAction FailureAction SuccessAction RebootArgument Job* \
         StopWhenUnneeded RefuseManualStart RefuseManualStop SurviveFinalKillSignal \
         FailureActionExitStatus SuccessActionExitStatus",
        Unsupported("nothing but the unit itself is started or ended"),
    ),
    row(
        "Unit",
        "RequiresOverridable RequisiteOverridable",
        Unsupported("systemd has not known them since version 230"),
    ),
    // Moved to [Unit] long ago.
    row(
        "Service",
        "FailureAction RebootArgument",
        Unsupported("nothing but the unit itself is started or ended"),
    ),
    row(
        "Service",
        "Type ExecStartPre ExecStart ExecStartPost ExecStop ExecStopPost RemainAfterExit Restart \
         RestartSec TimeoutSec TimeoutStartSec TimeoutStopSec KillMode KillSignal SendSIGKILL \
         Environment EnvironmentFile NotifyAccess Sockets WorkingDirectory",
        Honoured,
    ),
    // The launcher.
    row(
        "Service",
        "RestrictAddressFamilies NoNewPrivileges SystemCallArchitectures SystemCallFilter",
        Honoured,
    ),
    row(
        "Service",
        "SystemCallErrorNumber",
        NotNeeded("what is refused of io_uring answers ENOSYS"),
    ),
    row(
        "Service",
        "ExecCondition",
        Refused("the service would start although the condition may say no"),
    ),
    row(
        "Service",
        "ExecReload ExecReloadPost RefreshOnReload ReloadSignal",
        NotNeeded("nothing asks a service to reload"),
    ),
    row(
        "Service",
        "GuessMainPID PermissionsStartOnly SysVStartPriority",
        NotNeeded("it is about Type=forking and User="),
    ),
    row(
        "Service",
        "PIDFile",
        Unsupported("the main process is the one that was started, or that MAINPID= tells"),
    ),
    row(
        "Service",
        "BusName BusPolicy",
        Unsupported("there is no bus to wait for"),
    ),
    row(
        "Service",
        "OpenFile",
        Refused("it hands the service descriptors that no socket unit tells of"),
    ),
    row(
        "Service",
        "FileDescriptorStoreMax FileDescriptorStorePreserve LUOSession",
        Unsupported("descriptors are not kept across a restart"),
    ),
    row(
        "Service",
        "Watchdog* RuntimeMaxSec RuntimeRandomizedExtraSec TimeoutAbortSec \
         TimeoutStartFailureMode TimeoutStopFailureMode",
        Unsupported("there is no watchdog and no limit to how long a service runs"),
    ),
    row(
        "Service",
        "RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus ExitType \
         RestartSteps RestartMaxDelaySec RestartRandomizedDelaySec RestartMode",
        Unsupported("a restart depends on Restart= and RestartSec= alone"),
    ),
    row(
        "Service",
        "RestartKillSignal FinalKillSignal SendSIGHUP",
        Unsupported("KillSignal= is sent, then SIGKILL"),
    ),
    row(
        "Service",
        "NonBlocking",
        Unsupported("the sockets are not blocking in any case"),
    ),
    row(
        "Service",
        "USBFunctionDescriptors USBFunctionStrings OOMPolicy",
        Unsupported("it has no counterpart here"),
    ),
    row(
        "Socket",
        "ListenStream ListenDatagram ListenSequentialPacket Accept Service FileDescriptorName \
         SocketMode DirectoryMode Backlog BindIPv6Only BindToDevice ReusePort FreeBind \
         RemoveOnStop TriggerLimitIntervalSec TriggerLimitBurst PollLimitIntervalSec \
         PollLimitBurst",
        Honoured,
    ),
    row(
        "Socket",
        "ListenFIFO ListenNetlink ListenSpecial ListenMessageQueue ListenUSBFunction",
        Refused("only stream, datagram and sequential-packet sockets are handed over"),
    ),
    row(
        "Socket",
        "SocketProtocol",
        Refused("sockets of other protocols than TCP and UDP cannot be sealed"),
    ),
    row(
        "Socket",
        "SocketUser SocketGroup",
        Refused("the socket file would belong to another user than the unit says"),
    ),
    row(
        "Socket",
        "ExecStartPre ExecStartPost ExecStopPre ExecStopPost",
        Refused("a socket unit runs no commands here"),
    ),
    row(
        "Socket",
        "MaxConnections MaxConnectionsPerSource TimeoutSec Writable",
        NotNeeded("it is about Accept=yes, or about commands and files that are refused"),
    ),
    row(
        "Socket",
        "FlushPending KeepAlive* DeferAcceptSec NoDelay Priority ReceiveBuffer SendBuffer IPTOS \
         IPTTL Mark PipeSize Broadcast PassCredentials PassSecurity PassPacketInfo PassPIDFD \
         PassFileDescriptorsToExec Timestamping TCPCongestion MessageQueue* Symlinks Transparent \
         AcceptFileDescriptors DeferTrigger* XAttr*",
        Unsupported("the socket is opened without it"),
    ),
    // From here on what both kinds of unit may have, systemd.exec(5) and the
    // like: first what restricts, or gives, rights.
    row(
        "Service Socket",
        "User Group SupplementaryGroups DynamicUser PAMName",
        Refused("services run as the user who runs podseal"),
    ),
    row(
        "Service Socket",
        "Protect* Private* Restrict* Lock* MemoryDenyWriteExecute ProcSubset SystemCall* \
         NoNewPrivileges Capabilities CapabilityBoundingSet AmbientCapabilities SecureBits KeyringMode \
         RemoveIPC Personality UMask",
        Refused(
            "of what restricts a service, only RestrictAddressFamilies=, NoNewPrivileges=, \
             SystemCallArchitectures=native and a SystemCallFilter= of io_uring are there",
        ),
    ),
    row(
        "Service Socket",
        "Root* ReadWrite* ReadOnly* Inaccessible* ExecPaths NoExecPaths Bind* TemporaryFileSystem \
         MountFlags MountAPIVFS MountImage* Extension* NetworkNamespacePath IPCNamespacePath \
         UserNamespacePath LogNamespace",
        Refused("no namespaces are made but Podman's own"),
    ),
    row(
        "Service Socket",
        "SELinux* AppArmorProfile Smack* SocketBind* IPAddress* IPIngress* IPEgress* Device* \
         BPF* NFTSet Delegate*Namespaces",
        Refused("it changes what the service may do, and is not done here"),
    ),
    // Without a cgroup of its own for each unit there are no limits.
    row(
        "Service Socket",
        "Slice CPU* Startup* Allowed* Memory* DefaultMemory* IO* BlockIO* Tasks* Delegate* \
         DisableControllers DefaultStartupMemoryLow ManagedOOM* IPAccounting NetClass",
        Unsupported("units have no cgroup of their own here"),
    ),
    row(
        "Service Socket",
        "Limit* Nice OOM* CoredumpFilter CoredumpReceive NUMA* TimerSlackNSec",
        Unsupported("limits and priorities are those of podseal itself"),
    ),
    row(
        "Service Socket",
        "Standard* TTY* Syslog* Log* Utmp*",
        Unsupported("output goes where that of podseal goes"),
    ),
    row(
        "Service Socket",
        "RuntimeDirectory* StateDirectory* CacheDirectory* LogsDirectory* \
         ConfigurationDirectory* TimeoutCleanSec",
        Unsupported("no directories are made for it"),
    ),
    row(
        "Service Socket",
        "SetCredential* LoadCredential* ImportCredential",
        Unsupported("no credentials are handed over"),
    ),
    row(
        "Service Socket",
        "PassEnvironment UnsetEnvironment SetLoginEnvironment ExecSearchPath",
        Unsupported("the environment is that of podseal, with Environment= and EnvironmentFile="),
    ),
    row(
        "Service Socket",
        "IgnoreSIGPIPE KillMode KillSignal SendSIGKILL SendSIGHUP FinalKillSignal \
         RestartKillSignal Watchdog* Environment EnvironmentFile WorkingDirectory",
        Unsupported("it has no counterpart here"),
    ),
];

/// What becomes of a setting. A restriction that is explicitly off is none.
#[must_use]
pub fn treatment(section: &str, key: &str, value: &str) -> Treatment {
    let fits = |row: &Row| {
        let mut keys = row.keys.split_whitespace();
        row.sections.split(' ').any(|of_row| of_row == section)
            && keys.any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => key.starts_with(prefix),
                None => key == pattern,
            })
    };
    match ROWS.iter().find(|row| fits(row)).map(|row| row.treatment) {
        Some(Refused(_)) if parse_boolean(value) == Some(false) => NotNeeded("it is off"),
        Some(treatment) => treatment,
        None => Treatment::Unknown,
    }
}

/// The rows as a table in Markdown, for the documentation.
#[must_use]
pub fn table() -> String {
    let mut table = String::from("| section | settings | what becomes of them |\n|---|---|---|\n");
    for row in ROWS {
        let becomes = match row.treatment {
            Honoured => "honoured".to_owned(),
            NotNeeded(reason) => format!("not needed: {reason}"),
            Unsupported(reason) => format!("left out with a warning: {reason}"),
            Refused(reason) => format!("**refused**: {reason}"),
            Treatment::Unknown => "not known".to_owned(),
        };
        let keys: Vec<String> = row
            .keys
            .split_whitespace()
            .map(|k| format!("`{k}`"))
            .collect();
        let sections: Vec<String> = row.sections.split(' ').map(|s| format!("[{s}]")).collect();
        table.extend([
            "| ",
            &sections.join(" "),
            " | ",
            &keys.join(" "),
            " | ",
            &becomes,
            " |\n",
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::effective::keys;
    use crate::unit::effective::merge::OLD_SPELLINGS;

    #[test]
    fn the_documentation_has_this_table() {
        let text = include_str!("../../../../docs/units.md");
        let table = table();
        assert!(text.contains(&table), "docs/units.md should have:\n{table}");
    }

    /// Old spellings are replaced before.
    #[test]
    fn every_setting_of_systemd_is_known() {
        let is_old = |section, key| {
            OLD_SPELLINGS
                .iter()
                .any(|old| (old.0, old.1) == (section, key))
        };
        let unknown: Vec<_> = keys::all()
            .filter(|(section, key)| !is_old(*section, *key))
            .filter(|(section, key)| treatment(section, key, "x") == Treatment::Unknown)
            .collect();
        assert_eq!(unknown, []);
    }

    #[test]
    fn settings() {
        let refused = |section, key, value| matches!(treatment(section, key, value), Refused(_));
        for (section, key, value) in [
            ("Service", "ProtectSystem", "strict"),
            ("Service", "PrivateUsers", "yes"),
            ("Service", "User", "ann"),
            ("Service", "CapabilityBoundingSet", "~CAP_SYS_ADMIN"),
            ("Service", "RestrictNamespaces", "yes"),
            ("Service", "IPAddressDeny", "any"),
            ("Service", "UMask", "0077"),
            ("Socket", "SocketUser", "root"),
            ("Socket", "PrivateNetwork", "yes"),
            ("Socket", "ListenNetlink", "route"),
            // Not there yet when this was written.
            ("Service", "ProtectFuture", "x"),
        ] {
            assert!(refused(section, key, value), "{key}");
        }
        assert!(matches!(
            treatment("Service", "PrivateTmp", "no"),
            NotNeeded(_)
        ));
        assert_eq!(
            treatment("Service", "RestrictAddressFamilies", "AF_UNIX"),
            Honoured
        );
        assert_eq!(treatment("Service", "Restart", "always"), Honoured);
        assert_eq!(treatment("Service", "Rstart", "x"), Treatment::Unknown);
        assert!(matches!(
            treatment("Service", "MemoryMax", "1G"),
            Unsupported(_)
        ));
        assert!(matches!(
            treatment("Service", "OOMPolicy", "stop"),
            Unsupported(_)
        ));
    }
}
