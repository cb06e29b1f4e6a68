use std::collections::BTreeMap;
use std::time::Duration;

use podseal_core::unit::effective::merge::{Merged, Source};
use podseal_core::unit::effective::search::{
    DropIn, Entry, Fragment, Listing, Located, SearchDir, dropins,
};
use podseal_core::unit::effective::service::{KillMode, Restart, Service};
use podseal_core::unit::effective::{Scope, Signal};
use podseal_core::unit::file::UnitFile;
use podseal_core::unit::specifier::Specifiers;
use podseal_core::unit::time_span::TimeSpan;

use crate::table::rows;

/// The topics of the table; a row without a test is a failure.
const TOPICS: &[(&str, fn())] = &[
    ("dropin-order", dropin_order),
    ("dropin-alias", dropin_alias),
    ("BindTo=", bind_to),
    ("NoNewPrivileges = YES", no_new_privileges),
    ("TimeoutStopSec=0", timeout_zero),
    ("Type=oneshot Restart=always", oneshot_restart_always),
    ("two ExecStart= with Type=simple", two_starts),
    (
        "ExecStart=/bin/true;ExecStart=;ExecStart=/bin/echo x",
        reset,
    ),
    ("defaults", defaults),
    ("%lo in ListenStream", percent_in_address),
];

#[test]
fn dropins_observed() {
    for row in rows(include_str!("../conformance/dropins-observed.tsv")) {
        let (_, test) = TOPICS
            .iter()
            .find(|(topic, _)| *topic == row[0])
            .unwrap_or_else(|| panic!("no test for {row:?}"));
        test();
    }
}

/// A directory of the search path, and what is in its directories of drop-ins.
type Dir = (SearchDir, BTreeMap<String, BTreeMap<String, DropIn>>);

fn search_dir(path: &str, files: &[&str], dropins: &[(&str, &str, DropIn)]) -> Dir {
    let mut entries: BTreeMap<String, Entry> = files
        .iter()
        .map(|file| match file.split_once(" -> ") {
            Some((name, target)) => (name.to_owned(), Entry::Link(target.to_owned())),
            None => ((*file).to_owned(), Entry::File),
        })
        .collect();
    let mut contents: BTreeMap<String, BTreeMap<String, DropIn>> = BTreeMap::new();
    for (dir, file, kind) in dropins {
        entries.insert(format!("{dir}.d"), Entry::Directory);
        let files = contents.entry(format!("{path}/{dir}.d")).or_default();
        files.insert(format!("{file}.conf"), *kind);
    }
    let path = path.to_owned();
    (SearchDir { path, entries }, contents)
}

/// A unit's files and drop-ins.
fn find(unit: &str, dirs: Vec<Dir>) -> (Located, Vec<String>) {
    let (dirs, contents): (Vec<_>, Vec<_>) = dirs.into_iter().unzip();
    let located = Listing::new(dirs).locate(&unit.parse().expect("valid"));
    let directories = located.dropin_directories.iter().map(|path| {
        let of_path = contents.iter().find_map(|contents| contents.get(path));
        (path.clone(), of_path.expect("listed").clone())
    });
    let found = dropins(&directories.collect::<Vec<_>>());
    (located, found)
}

fn dropin_order() {
    use DropIn::{File, Masked};
    let config = search_dir(
        "/config",
        &["di-a-b.service"],
        &[
            ("service", "10-x", File),
            ("service", "99-z", File),
            ("di-.service", "10-x", File),
            ("di-.service", "20-y", File),
            ("di-a-.service", "20-y", File),
            ("di-a-b.service", "30-w", File),
            ("di-a-b.service", "50-m", Masked),
        ],
    );
    let lower = search_dir(
        "/lower",
        &[],
        &[
            ("di-a-b.service", "30-w", File),
            ("di-a-b.service", "40-v", File),
            ("di-a-b.service", "50-m", File),
        ],
    );
    let (_, dropins) = find("di-a-b.service", vec![config, lower]);
    assert_eq!(
        dropins,
        [
            "/config/di-.service.d/10-x.conf",
            "/config/di-a-.service.d/20-y.conf",
            "/config/di-a-b.service.d/30-w.conf",
            "/lower/di-a-b.service.d/40-v.conf",
            "/config/service.d/99-z.conf",
        ]
    );
}

fn dropin_alias() {
    let dir = search_dir(
        "/config",
        &["orig.service", "al.service -> orig.service"],
        &[
            ("al.service", "5", DropIn::File),
            ("orig.service", "6", DropIn::File),
        ],
    );
    let (located, dropins) = find("al.service", vec![dir]);
    let fragment = Fragment::File("/config/orig.service".to_owned());
    assert_eq!(located.fragment, fragment);
    assert_eq!(
        dropins,
        [
            "/config/al.service.d/5.conf",
            "/config/orig.service.d/6.conf"
        ]
    );
}

fn service(text: &str) -> Service {
    let unit = "a.service".parse().expect("valid");
    let host = BTreeMap::new();
    let specifiers = Specifiers {
        unit: &unit,
        fragment: None,
        host: &host,
    };
    let source = Source {
        path: "f".to_owned(),
        file: UnitFile::parse(text),
    };
    Service::new(
        Merged::new(&source, &[], &specifiers),
        &specifiers,
        Scope::User,
    )
}

fn bind_to() {
    let service = service("[Unit]\nBindTo=b.service\n[Service]\nExecStart=/a\n");
    assert_eq!(
        service.dependencies.of("BindsTo")[0].unit.as_str(),
        "b.service"
    );
    assert!(service.diagnostics.is_empty());
}

fn no_new_privileges() {
    assert!(
        service("[Service]\nExecStart=/a\nNoNewPrivileges = YES\n")
            .sandbox
            .no_new_privileges
    );
}

fn timeout_zero() {
    let service = service("[Service]\nExecStart=/a\nTimeoutStopSec=0\n");
    assert_eq!(service.timeout_stop_sec, TimeSpan::Infinity);
}

fn oneshot_restart_always() {
    assert!(!service("[Service]\nType=oneshot\nRestart=always\nExecStart=/a\n").loads);
}

fn two_starts() {
    assert!(!service("[Service]\nType=simple\nExecStart=/a\nExecStart=/b\n").loads);
}

fn reset() {
    let service = service("[Service]\nExecStart=/bin/true\nExecStart=\nExecStart=/bin/echo x\n");
    assert!(service.loads);
    let [command] = service.commands_of("ExecStart") else {
        panic!("{:?}", service.commands);
    };
    assert_eq!(command.value.argv, ["/bin/echo", "x"]);
}

/// All but `Requires=app.slice`: slices are the manager's business, and no
/// rule or seal depends on them.
fn defaults() {
    let service = service("[Service]\nExecStart=/a\n");
    let seconds = |count| TimeSpan::Finite(Duration::from_secs(count));
    assert_eq!(service.restart, Restart::No);
    assert_eq!(
        service.restart_sec,
        TimeSpan::Finite(Duration::from_millis(100))
    );
    assert_eq!(service.timeout_start_sec, seconds(90));
    assert_eq!(service.timeout_stop_sec, seconds(90));
    assert_eq!(service.start_limit_burst, 5);
    assert_eq!(service.start_limit_interval_sec, seconds(10));
    assert_eq!(service.kill_mode, KillMode::ControlGroup);
    assert_eq!(service.kill_signal, Signal(15));
    for (key, unit) in [
        ("Requires", "basic.target"),
        ("Before", "shutdown.target"),
        ("Conflicts", "shutdown.target"),
    ] {
        let found = service.dependencies.of(key);
        assert!(
            found.iter().any(|d| d.unit.as_str() == unit),
            "{key}={unit}"
        );
    }
}

fn percent_in_address() {
    let unit = "a.socket".parse().expect("valid");
    let host = BTreeMap::from([('l', "host".to_owned())]);
    let specifiers = Specifiers {
        unit: &unit,
        fragment: None,
        host: &host,
    };
    let expand = |text| specifiers.expand(text).expect("known specifiers");
    assert_eq!(expand("[::1]:1234%lo"), "[::1]:1234hosto");
    assert_eq!(expand("[::1]:1234%%lo"), "[::1]:1234%lo");
}

/// What a running manager did over time belongs to the supervisor's tests. The
/// rows are counted so that a new one is noticed.
#[test]
fn lifecycle_observed_is_out_of_scope() {
    const LIFECYCLES: &[&str] = &[
        "sock-failing-service",
        "sock-fd-order",
        "sock-stop-keeps-service",
        "sock-rebind",
        "sock-accept",
        "no-service",
        "type-notify-wrong-sender",
        "type-notify-exit0",
        "type-exec-missing",
        "bindsto-stop",
        "oneshot-restart",
        "execstop-oneshot",
    ];
    let rows = rows(include_str!("../conformance/lifecycle-observed.tsv"));
    let ids: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(ids, LIFECYCLES);
}
