use std::collections::BTreeMap;

use super::*;
use crate::family::Family;
use crate::unit::Effect;
use crate::unit::effective::merge::Source;
use crate::unit::file::UnitFile;

fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        file: UnitFile::parse(text),
    }
}

fn service_in(scope: Scope, texts: &[&str]) -> Service {
    let unit = "a.service".parse().expect("valid");
    let host = BTreeMap::new();
    let specifiers = Specifiers {
        unit: &unit,
        fragment: None,
        host: &host,
    };
    let sources: Vec<Source> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| source(&index.to_string(), text))
        .collect();
    let (fragment, dropins) = sources.split_first().expect("a fragment");
    Service::new(
        Merged::new(fragment, dropins, &specifiers),
        &specifiers,
        scope,
    )
}

fn service(texts: &[&str]) -> Service {
    service_in(Scope::User, texts)
}

const START: &str = "[Service]\nExecStart=/bin/true\n";

fn with(lines: &str) -> Service {
    service(&[&format!("{START}{lines}")])
}

#[test]
fn defaults() {
    let service = with("");
    let seconds = |n| TimeSpan::Finite(Duration::from_secs(n));
    assert!(service.loads);
    assert_eq!(service.diagnostics, []);
    assert_eq!(service.service_type, ServiceType::Simple);
    assert_eq!(service.restart, Restart::No);
    assert_eq!(
        service.restart_sec,
        TimeSpan::Finite(Duration::from_millis(100))
    );
    assert_eq!(service.timeout_start_sec, seconds(90));
    assert_eq!(service.timeout_stop_sec, seconds(90));
    assert_eq!(service.start_limit_interval_sec, seconds(10));
    assert_eq!(service.start_limit_burst, 5);
    assert_eq!(service.kill_mode, KillMode::ControlGroup);
    assert_eq!(service.kill_signal, Signal(15));
    assert!(!service.sandbox.no_new_privileges);
    assert!(service.sandbox.syscall_filter.io_uring.reachable);
    assert!(service.sandbox.families.le_v260.permits(Family::INET));
    let oneshot = with("Type=oneshot\n");
    assert_eq!(oneshot.timeout_start_sec, TimeSpan::Infinity);
    let notify = with("Type=notify\n");
    assert_eq!(notify.notify_access, NotifyAccess::Main);
}

#[test]
fn what_systemd_refuses() {
    let refused = [
        "",
        "[Service]\nExecStop=/bin/true\n",
        "[Service]\nType=oneshot\n",
        "[Service]\nExecStart=/a\nExecStart=/b\n",
        "[Service]\nExecStart=/a/\n",
        "[Service]\nType=oneshot\nExecStart=/a\nRestart=always\n",
        "[Service]\nType=dbus\nExecStart=/a\n",
        "[Service]\nExecStart=/a\nX=\u{0}\n[T\n",
    ];
    for text in refused {
        let service = service(&[text]);
        assert!(!service.loads, "{text}");
        assert!(
            service
                .diagnostics
                .iter()
                .any(|d| d.effect == Effect::Refused),
            "{text}"
        );
    }
    let loaded = [
        "[Service]\nType=oneshot\nExecStart=/a\nExecStart=/b\n",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/a\n",
        "[Service]\nExecStart=/a\nExecStart=\nExecStart=/b\n",
        "[Service]\nBusName=a.b\nExecStart=/a\n",
        "[Service]\nExecStart=/a\n[X-Podseal]\nLevel=strict\n",
    ];
    for text in loaded {
        let service = service(&[text]);
        assert!(service.loads, "{text} {:?}", service.diagnostics);
    }
}

/// As `systemd-analyze verify` 252 says of them, for both managers.
#[test]
fn an_action_in_place_of_commands() {
    let cases = [
        ("none", false),
        ("exit", true),
        ("exit-force", true),
        ("poweroff", true),
        ("bogus", false),
        ("", false),
        ("%n", false),
    ];
    for (action, loads) in cases {
        for scope in [Scope::User, Scope::System] {
            let text = format!("[Unit]\nSuccessAction={action}\n");
            assert_eq!(service_in(scope, &[&text]).loads, loads, "{action}");
        }
    }
}

#[test]
fn a_refused_drop_in_ends_and_does_no_more() {
    let service = service(&[
        START,
        "[Service]\nRestart=always\nExecStart=/b/\nKillMode=none\n",
        "[Service]\nRestartSec=3\n[T\nKillMode=none\n",
        "[Service]\nType=exec\n",
    ]);
    assert!(service.loads);
    assert_eq!(service.restart, Restart::Always);
    assert_eq!(
        service.restart_sec,
        TimeSpan::Finite(Duration::from_secs(3))
    );
    assert_eq!(service.kill_mode, KillMode::ControlGroup);
    assert_eq!(service.service_type, ServiceType::Exec);
    let places: Vec<(&str, usize)> = service
        .diagnostics
        .iter()
        .map(|d| d.origin.as_ref().map_or(("", 0), |o| (&*o.file, o.line)))
        .collect();
    assert_eq!(places, [("1", 3), ("2", 3)]);
    assert!(
        service
            .diagnostics
            .iter()
            .all(|d| d.effect == Effect::Ignored)
    );
}

#[test]
fn values_have_their_places() {
    let service = service(&[
        "[Service]\nExecStart=/a\nRestartSec=1\nRestrictAddressFamilies=AF_INET\n",
        "[Service]\nExecStart=\nExecStart=-/b \\\n  c\nRestrictAddressFamilies=\nRestrictAddressFamilies=AF_UNIX\n",
        "[Service]\nRestrictAddressFamilies=AF_NETLINK\nRestartSec=soon\n",
    ]);
    let places = |key: &str| -> Vec<(&str, usize)> {
        let origins = service.origins.get(key).map_or(&[][..], Vec::as_slice);
        origins.iter().map(|o| (&*o.file, o.line)).collect()
    };
    assert_eq!(places("Service.ExecStart"), [("1", 3)]);
    assert_eq!(
        places("Service.RestrictAddressFamilies"),
        [("1", 6), ("2", 2)]
    );
    assert_eq!(places("Service.RestartSec"), [("0", 3)]);
    assert_eq!(places("Service.Restart"), []);
    let command = &service.commands_of("ExecStart")[0];
    assert_eq!(command.value.argv, ["/b", "c"]);
    assert_eq!(command.origin.line, 3);
    assert_eq!(service.diagnostics.len(), 1);
}

#[test]
fn no_new_privileges_set_and_implied() {
    let cases: &[(Scope, &str, bool)] = &[
        (Scope::User, "", false),
        (Scope::User, "NoNewPrivileges = YES\n", true),
        (
            Scope::User,
            "NoNewPrivileges=yes\nNoNewPrivileges=no\n",
            false,
        ),
        (Scope::User, "RestrictAddressFamilies=AF_UNIX\n", true),
        (
            Scope::User,
            "RestrictAddressFamilies=AF_UNIX\nNoNewPrivileges=no\n",
            true,
        ),
        (
            Scope::User,
            "RestrictAddressFamilies=AF_UNIX\nRestrictAddressFamilies=\n",
            false,
        ),
        (Scope::User, "RestrictAddressFamilies=none\n", true),
        (Scope::User, "SystemCallArchitectures=native\n", true),
        (Scope::User, "SystemCallFilter=~@aio\n", true),
        (Scope::User, "LockPersonality=on\n", true),
        (Scope::User, "RestrictNamespaces=user\n", true),
        (Scope::User, "RestrictNamespaces=no\n", false),
        (Scope::System, "SystemCallArchitectures=native\n", false),
        (
            Scope::System,
            "User=root\nSystemCallArchitectures=native\n",
            false,
        ),
        (
            Scope::System,
            "User=me\nSystemCallArchitectures=native\n",
            true,
        ),
    ];
    for (scope, lines, expected) in cases {
        let service = service_in(*scope, &[&format!("{START}{lines}")]);
        assert_eq!(
            service.sandbox.no_new_privileges, *expected,
            "{scope:?} {lines}"
        );
    }
}

#[test]
fn timeouts_of_two_keys() {
    let seconds = |service: &Service| {
        [service.timeout_start_sec, service.timeout_stop_sec].map(|span| match span {
            TimeSpan::Finite(span) => Some(span.as_secs()),
            TimeSpan::Infinity => None,
        })
    };
    assert_eq!(seconds(&with("TimeoutSec=5\n")), [Some(5), Some(5)]);
    assert_eq!(
        seconds(&with("TimeoutSec=5\nTimeoutStopSec=6\n")),
        [Some(5), Some(6)]
    );
    assert_eq!(
        seconds(&with("TimeoutStopSec=6\nTimeoutSec=5\n")),
        [Some(5), Some(5)]
    );
    assert_eq!(seconds(&with("TimeoutStopSec=0\n")), [Some(90), None]);
}

#[test]
fn dependencies_are_added_to_and_never_reset() {
    let service = service(&[
        "[Unit]\nBindTo=b.service\nAfter=c.service d@.service x\n[Service]\nExecStart=/a\n",
        "[Unit]\nAfter=\nAfter=%p-e.service\n[Install]\nWantedBy=f@.service\n",
    ]);
    let names = |key| -> Vec<&str> {
        let of = service.dependencies.of(key);
        of.iter().map(|d| d.unit.as_str()).collect()
    };
    assert_eq!(names("BindsTo"), ["b.service"]);
    assert_eq!(
        names("After"),
        ["c.service", "d@a.service", "a-e.service", "basic.target"]
    );
    assert_eq!(names("WantedBy"), ["f@.service"]);
    assert_eq!(names("Conflicts"), ["shutdown.target"]);
    assert_eq!(service.diagnostics.len(), 1);
    let bare = with("[Unit]\nDefaultDependencies=no\n");
    assert_eq!(bare.dependencies, Dependencies::default());
}

#[test]
fn environment_and_sockets() {
    let service = with(
        "Environment=A=1 'B=2 3' 4=5 C\nEnvironment=A=6\n\
         EnvironmentFile=-/a\nEnvironmentFile=rel\nEnvironmentFile=%h/b\nEnvironmentFile=/a/../b\n\
         Sockets=x.socket y.service\n",
    );
    let environment: Vec<_> = service.environment.iter().collect();
    assert_eq!(format!("{environment:?}"), r#"[("A", "6"), ("B", "2 3")]"#);
    assert_eq!(service.environment_files, ["-/a", "%h/b"]);
    assert_eq!(service.sockets[0].as_str(), "x.socket");
    assert_eq!(service.diagnostics.len(), 5);
}

#[test]
fn warnings_about_values_that_are_reset_later_stay() {
    let service = with(
        "Environment=1\nEnvironment=\nSystemCallFilter=@service\nSystemCallFilter=\n\
         ExecStop=-/a/\nExecStop=\nSockets=x\nSockets=\n",
    );
    let lines: Vec<usize> = service
        .diagnostics
        .iter()
        .filter_map(|d| d.origin.as_ref().map(|o| o.line))
        .collect();
    assert_eq!(lines, [3, 5, 7, 9]);
    assert_eq!(
        service.origins.keys().collect::<Vec<_>>(),
        ["Service.ExecStart"]
    );
}

#[test]
fn json_has_a_version_and_places() {
    let service = with("RestrictAddressFamilies=AF_UNIX\n");
    let json = serde_json::to_value(&service).expect("serializes");
    assert_eq!(json["version"], 1);
    assert_eq!(json["kind"], "service");
    assert_eq!(json["families"]["ge_v261"]["set"][0], "AF_UNIX");
    assert_eq!(json["families"]["divergent"], false);
    assert_eq!(json["commands"]["ExecStart"][0]["argv"][0], "/bin/true");
    assert_eq!(json["commands"]["ExecStart"][0]["origin"]["line"], 2);
    assert_eq!(
        json["origins"]["Service.RestrictAddressFamilies"][0]["line"],
        3
    );
    assert_eq!(
        json["dependencies"]["Conflicts"][0]["unit"],
        "shutdown.target"
    );
    assert_eq!(json["timeout_stop_sec"], 90_000_000);
    assert_eq!(json["restart"], "no");
}

/// What the managers of systemd 257 and 262 were seen to make of these.
#[test]
fn settings_that_mean_something_for_others() {
    let access = |lines| with(lines).notify_access;
    assert_eq!(access("FileDescriptorStoreMax=1\n"), NotifyAccess::Main);
    assert_eq!(access("FileDescriptorStoreMax=0\n"), NotifyAccess::None);
    assert_eq!(access("WatchdogSec=1\n"), NotifyAccess::Main);
    assert_eq!(access("WatchdogSec=0\n"), NotifyAccess::None);
    assert_eq!(
        access("FileDescriptorStoreMax=1\nNotifyAccess=all\n"),
        NotifyAccess::All
    );
    let handed = with("Sockets=b.socket\n");
    for key in ["Wants", "After"] {
        let units = handed.dependencies.of(key).iter();
        let mut units = units.map(|dependency| dependency.unit.as_str());
        assert!(units.any(|unit| unit == "b.socket"), "{key}");
    }
    let reset = with("KillMode=mixed\nKillMode=\n");
    assert_eq!(reset.kill_mode, KillMode::ControlGroup);
    let files = with("EnvironmentFile=-/a//b/./c/\n").environment_files;
    assert_eq!(files, ["-/a/b/c"]);
}

#[test]
fn quoted_units_are_none() {
    let quoted = service(&[&format!("[Unit]\nRequires=\"b.service\"\n{START}")]);
    let requires = quoted.dependencies.of("Requires");
    assert_eq!(requires.len(), 1, "{requires:?}");
    assert_eq!(requires[0].unit.as_str(), "basic.target");
}
