use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::unit::effective::Scope;
use crate::unit::effective::merge::Source;
use crate::unit::effective::view::View;
use crate::unit::file::UnitFile;

/// A pair that is sealed as it should be; the examples of rules change it.
const SEALED: &[(&str, &str)] = &[
    (
        "web.service",
        "[Unit]\nRequires=web.socket\nAfter=web.socket\n\
         [Service]\n\
         ExecStart=/usr/bin/podman run --rm --network=none --pull=never \
         localhost/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n\
         ExecStartPre=+/usr/bin/podseal pause ensure\n\
         RestrictAddressFamilies=AF_UNIX AF_NETLINK\n\
         NoNewPrivileges=yes\n\
         SystemCallArchitectures=native\n\
         SystemCallFilter=~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS\n",
    ),
    (
        "web.socket",
        "[Socket]\nListenStream=127.0.0.1:8080\nBindToDevice=lo\n[Install]\nWantedBy=sockets.target\n",
    ),
    (
        "podman-pause-process.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/podman unshare /bin/true\n",
    ),
];

type Files = BTreeMap<String, String>;

fn files(of: &[(&str, &str)]) -> Files {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    of.iter().map(owned).collect()
}

/// Units of files; `NAME.d/FILE` is a drop-in.
fn set(files: &Files, scope: Scope, architecture: &str) -> Set {
    let host = BTreeMap::from([('t', "/run/user/1000".to_owned())]);
    let source = |path: &str, text: &str| Source {
        path: path.to_owned(),
        file: UnitFile::parse(text),
    };
    let mut subjects = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| !name.contains('/')) {
        let unit: UnitName = name.parse().expect("a unit");
        let fragment = source(name, text);
        let dropins: Vec<Source> = files
            .iter()
            .filter(|(path, _)| path.starts_with(&format!("{name}.d/")))
            .map(|(path, text)| source(path, text))
            .collect();
        let view = if text.is_empty() {
            View::masked(&unit, name, scope)
        } else {
            View::new(&unit, &fragment, &dropins, &host, scope).expect("a kind")
        };
        let all = std::iter::once(fragment).chain(dropins).collect();
        let subject = Subject::new(view, Vec::new());
        subjects.push(subject.with_files(all).named());
    }
    let absent: BTreeSet<UnitName> = subjects
        .iter()
        .flat_map(Subject::partners)
        .filter(|name| !files.contains_key(name.as_str()))
        .collect();
    Set::new(subjects, absent, scope, architecture)
}

/// Rules that found something, once each, in alphabetical order.
fn ids(files: &Files) -> Vec<&'static str> {
    let findings = audit(&set(files, Scope::User, "x86_64"));
    let ids: BTreeSet<&str> = findings.iter().map(|f| f.rule.id).collect();
    ids.into_iter().collect()
}

/// Whose manager reads an example.
fn scope(example: &rule::Example) -> Scope {
    if example.unit.starts_with(SYSTEM) {
        Scope::System
    } else {
        Scope::User
    }
}

const SYSTEM: &str = "/etc/systemd/system/";

/// The sealed pair, with the lines of an example in place of its own.
fn changed(example: &rule::Example) -> (Files, &'static str) {
    let unit = example.unit.trim_start_matches(SYSTEM);
    let (unit, architecture) = match unit.split_once(" on ") {
        Some((unit, architecture)) => (unit, architecture),
        None => (unit, "x86_64"),
    };
    let mut files = files(SEALED);
    if let Some((unit, _)) = unit.split_once(" -> ") {
        files.insert(unit.to_owned(), String::new());
        return (files, architecture);
    }
    let mut file = UnitFile::parse(files.get(unit).cloned().unwrap_or_default());
    let wanted = UnitFile::parse(example.lines);
    for setting in wanted.settings() {
        file.remove(setting.section, setting.key).expect("edited");
    }
    let base = String::from_utf8(file.as_bytes().to_vec()).expect("a text");
    files.insert(unit.to_owned(), base + example.lines);
    (files, architecture)
}

#[test]
fn what_is_sealed_is_clean() {
    assert_eq!(ids(&files(SEALED)), [""; 0]);
}

/// Each rule finds its bad example and not its good one.
#[test]
fn every_rule_has_an_example_that_brings_it_out() {
    for rule in rules::all() {
        for (example, expected) in [(&rule.bad, true), (&rule.good, false)] {
            let (files, architecture) = changed(example);
            let findings = audit(&set(&files, scope(example), architecture));
            let found: Vec<&Finding> = findings.iter().filter(|f| f.rule == rule).collect();
            assert_eq!(!found.is_empty(), expected, "{}: {files:#?}", rule.id);
            for finding in found {
                let is_placed = finding.span.is_some() || rule.id == "unit-masked";
                assert!(is_placed, "{}: {finding:?}", rule.id);
            }
        }
    }
}

/// What a drop-in sets takes the finding away, and brings no other.
#[test]
fn fixes_fix() {
    let mut fixable = 0;
    for rule in rules::all() {
        let (mut files, architecture) = changed(&rule.bad);
        let scope = scope(&rule.bad);
        let before = audit(&set(&files, scope, architecture));
        let found: Vec<Finding> = before
            .iter()
            .filter(|f| f.rule == rule && !f.settings.is_empty())
            .cloned()
            .collect();
        let Some(first) = found.first() else {
            continue;
        };
        fixable += 1;
        let text = fix::drop_in(None, &found).expect("settings");
        assert!(fix::is_ours(&text), "{text}");
        files.insert(format!("{}.d/{}", first.unit, fix::DROP_IN), text.clone());
        let after = audit(&set(&files, scope, architecture));
        for finding in &after {
            assert_ne!(finding.rule, rule, "{}: {text}", rule.id);
            let is_new = before.iter().all(|b| b.rule != finding.rule);
            assert!(!is_new, "{} brings {}: {text}", rule.id, finding.rule.id);
        }
    }
    assert!(fixable >= 10, "{fixable}");
}

#[test]
fn ids_are_kebab_case_and_used_once() {
    let mut seen = BTreeSet::new();
    for rule in rules::all() {
        let valid = rule.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(valid && seen.insert(rule.id), "{}", rule.id);
        assert!(
            rule.why.ends_with('.') && !rule.fix.ends_with('.'),
            "{}",
            rule.id
        );
        assert!(!rule.title.ends_with('.'), "{}", rule.id);
    }
}

/// The recipe as it is done by hand: `podman generate systemd --new` and three
/// edits. It has the two holes that no part of it closes.
#[test]
fn the_recipe_by_hand() {
    let found = ids(&files(&[
        (
            "echo.socket",
            "[Unit]\nDescription=Echo server\n[Socket]\nListenStream=127.0.0.1:3000\n\
             [Install]\nWantedBy=default.target\n",
        ),
        (
            "echo.service",
            "[Unit]\nDescription=Podman echo.service\nWants=network-online.target\n\
             After=network-online.target podman-pause-process.service\n\
             BindTo=podman-pause-process.service\nRequires=echo.socket\nAfter=echo.socket\n\
             RequiresMountsFor=%t/containers\n\
             [Service]\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\nRestart=on-failure\nTimeoutStopSec=70\n\
             RestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes\n\
             ExecStartPre=/bin/rm -f %t/%n.ctr-id\n\
             ExecStart=/usr/bin/podman run --cidfile=%t/%n.ctr-id --cgroups=no-conmon --rm \
             --sdnotify=conmon --replace -d --name echo --network=none --pull=never \
             ghcr.io/eriksjolund/socket-activate-echo\n\
             ExecStop=/usr/bin/podman stop --ignore --cidfile=%t/%n.ctr-id\n\
             ExecStopPost=/usr/bin/podman rm -f --ignore --cidfile=%t/%n.ctr-id\n\
             Type=notify\nNotifyAccess=all\n[Install]\nWantedBy=default.target\n",
        ),
        SEALED_PAUSE,
    ]));
    let expected = [
        "bind-to-device",
        "bind-to-spelling",
        "image-not-pinned",
        "io-uring-reachable",
        "native-abi",
        "network-online",
        "pause-not-noticed",
        "restart-hits-start-limit",
    ];
    assert_eq!(found, expected);
}

const SEALED_PAUSE: (&str, &str) = (
    "podman-pause-process.service",
    "[Unit]\nDescription=podman-pause-process.service\n\
     [Service]\nType=oneshot\nRestart=on-failure\nTimeoutStopSec=70\n\
     ExecStart=/usr/bin/podman unshare /bin/true\nRemainAfterExit=yes\n",
);

/// What cannot be told is never clean.
#[test]
fn what_cannot_be_told_is_found() {
    for (start, expected) in [
        ("/bin/sh -c 'podman run x'", "command-unclear"),
        ("/usr/bin/podman run $OPTIONS x", "command-unclear"),
        (
            "/usr/bin/podman run --network=none $IMAGE",
            "command-unclear",
        ),
        (
            "/usr/bin/podman run --new-option --network=none x",
            "command-unclear",
        ),
        ("/usr/bin/podman compose up", "command-unclear"),
        ("/usr/bin/podman-compose up", "command-unclear"),
        (
            "/usr/bin/flock /x podman run --network=none x",
            "command-unclear",
        ),
        ("/usr/bin/podman run --network=${NET} x", "network-not-none"),
        ("/usr/bin/podman run --network=%S x", "network-not-none"),
        (
            "/usr/bin/podman run --network=none --network=web x",
            "network-not-none",
        ),
        ("/usr/bin/podman run x --network=none", "network-not-none"),
        (
            "/usr/bin/podman run --pod=p --network=none x",
            "network-not-none",
        ),
        ("/usr/bin/podman kube play a.yaml", "network-not-none"),
        ("/usr/bin/env A=1 podman run x", "network-not-none"),
        (
            "/usr/bin/podseal enter --level families -- podman run x",
            "network-not-none",
        ),
        (
            "/usr/bin/podseal enter --argv0 a --without abi podman run x",
            "network-not-none",
        ),
        (
            "/usr/bin/podman run --network=none --pull=$PULL x",
            "pull-not-never",
        ),
        (
            "/usr/bin/podman run --network=none -v ${DIR}:/x y",
            "socket-mounted",
        ),
        ("/usr/bin/podman -r run --network=none x", "podman-remote"),
        (
            "/usr/bin/podman container start web",
            "container-made-elsewhere",
        ),
    ] {
        let mut files = files(SEALED);
        let service = files.get_mut("web.service").expect("there");
        service.extend(["ExecStart=\nExecStart=", start, "\n"]);
        assert!(
            ids(&files).contains(&expected),
            "{start}: {:?}",
            ids(&files)
        );
    }
}

#[test]
fn comments_ignore_findings_of_their_unit() {
    let mut files = files(SEALED);
    let socket = files.get_mut("web.socket").expect("there");
    socket.push_str("[Socket]\n ; podseal:  ignore listen-wildcard  the whole  world\nListenStream=80\nBindToDevice=\n");
    let findings = audit(&set(&files, Scope::User, "x86_64"));
    let [finding] = &findings[..] else {
        panic!("{findings:?}");
    };
    let ignored = finding.ignored.as_ref().expect("ignored");
    assert_eq!(finding.rule.id, "listen-wildcard");
    assert_eq!(ignored.reason, "the whole  world");
    assert_eq!(ignored.origin.line, 7);
    assert!(!finding.counts());
}

#[test]
fn system_units_are_held_to_what_matters_there() {
    let mut files = files(SEALED);
    files.remove("podman-pause-process.service");
    let service = files.get_mut("web.service").expect("there");
    service.push_str("ExecStartPre=\nProtectHome=yes\nIPAddressDeny=any\n");
    assert_eq!(audit(&set(&files, Scope::System, "x86_64")), []);
}

#[test]
fn the_launcher_has_the_pause_process_made() {
    let start = "/usr/bin/podman run --network=none --pull=never --rm localhost/a";
    let ids = |lines: &str| {
        let mut files = files(SEALED);
        files.remove("podman-pause-process.service");
        let service = files.get_mut("web.service").expect("there");
        service.extend(["ExecStartPre=\nExecStart=\n", lines]);
        let findings = audit(&set(&files, Scope::User, "x86_64"));
        let ids = findings.iter().map(|f| f.rule.id);
        let ids: Vec<&str> = ids.filter(|id| id.starts_with("pause")).collect();
        ids.join(" ")
    };
    let launched = format!("ExecStart=/usr/bin/podseal enter --make-pause -- {start}\n");
    for (lines, expected) in [
        (launched.clone(), ""),
        (launched.replace(" --make-pause", ""), "pause-missing"),
        // What Podman is told is not the launcher's.
        (
            launched.replace("--make-pause -- ", "-- ") + "--make-pause\n",
            "pause-missing",
        ),
        (format!("{launched}ExecStartPre=/bin/true\n"), ""),
        (
            format!("{launched}ExecStartPre=/usr/bin/podman rm a\n"),
            "pause-missing",
        ),
    ] {
        assert_eq!(ids(&lines), expected, "{lines}");
    }
}

/// A system service of rootless Podman, with its own pause process and without
/// a thing that is wrong.
#[test]
fn podman_as_another_user() {
    let unit = |lines: &str| {
        let mut files = files(SEALED);
        files.remove("podman-pause-process.service");
        let service = files.get_mut("web.service").expect("there");
        *service = service
            .replace("pause ensure", "pause ensure --quiet --run-as=web")
            .replace("After=web.socket", "After=web.socket user@990.service");
        service.extend([
            "User=web\nDelegate=yes\nEnvironment=XDG_RUNTIME_DIR=/run/user/990\n",
            lines,
        ]);
        let findings = audit(&set(&files, Scope::System, "x86_64"));
        let ids: Vec<&str> = findings.iter().map(|f| f.rule.id).collect();
        ids.join(" ")
    };
    for (lines, expected) in [
        ("", ""),
        ("Delegate=\n", ""),
        ("Delegate=cpu memory\n", ""),
        ("Delegate=no\n", "user-directive"),
        ("User=990\n", "pause-missing user-directive"),
        ("User=root\n", ""),
        ("DynamicUser=yes\n", "user-directive"),
        ("User=bob\n", "pause-missing"),
        ("Environment=XDG_RUNTIME_DIR=/run/user/0\n", "user-runtime"),
        (
            "Environment=XDG_RUNTIME_DIR=/run/user/991\n",
            "user-runtime",
        ),
        ("Environment=\n", "user-runtime"),
        ("Environment=\nPAMName=login\n", ""),
        ("ExecStartPre=\n", "pause-missing"),
        (
            "ExecStartPre=\nExecStartPre=+/usr/bin/podman unshare true\n",
            "pause-missing",
        ),
        (
            "ExecStartPre=\nExecStartPre=/usr/bin/podseal pause ensure\n",
            "pause-missing pause-inside-seal",
        ),
        ("ExecStop=!/usr/bin/podman stop x\n", "user-directive"),
        ("ProtectHome=yes\n", ""),
    ] {
        assert_eq!(unit(lines), expected, "{lines}");
    }
}
