use super::facts::{
    Container, Copies, DropIn, DropInState, HeldSocket, Promise, Relation, Restrictions, Role,
};
use super::*;
use crate::policy::mechanism;

fn restrictions(in_container: bool) -> Restrictions {
    Restrictions {
        no_new_privs: true,
        seccomp: 2,
        filters: Some(if in_container { 6 } else { 5 }),
        user_namespace: Relation::Pause,
        network_namespace: if in_container {
            Relation::Own
        } else {
            Relation::Host
        },
    }
}

fn process(pid: i32, role: Role) -> Process {
    Process {
        pid,
        parent: 1,
        comm: "x".into(),
        role,
        is_descendant: true,
        started: 2000,
        restrictions: restrictions(role == Role::Container),
        has_capabilities: true,
        sockets: Some(vec![HeldSocket {
            fd: 3,
            protocol: "TCP".into(),
            local: Some("127.0.0.1:80".parse().unwrap()),
            remote: None,
            listens: true,
            in_own_network: Some(true),
        }]),
    }
}

/// One that is sealed at level standard by the drop-in, and runs.
fn sealed() -> Service {
    let state = |unit: &str, sub: &str| State {
        unit: unit.into(),
        active_state: "active".into(),
        sub_state: sub.into(),
        result: "success".into(),
        ..State::default()
    };
    let parts = mechanism::of(Level::Standard).map(|part| part.id);
    Service {
        state: state("web.service", "running"),
        promise: Promise {
            mechanisms: parts.collect(),
            directives: vec!["RestrictAddressFamilies", "NoNewPrivileges"],
            filters: 4,
            given_up: Vec::new(),
            drop_in: Some(DropIn {
                path: "/d/50-podseal.conf".into(),
                level: Some(Level::Standard),
                state: DropInState::Current,
            }),
            changed: Some((1000, "/d/50-podseal.conf".into())),
        },
        unread: None,
        why: None,
        processes: Ok(vec![
            process(7, Role::Conmon),
            process(8, Role::Container),
            process(9, Role::Container),
        ]),
        sockets: vec![Socket {
            state: state("web.socket", "running"),
            listen: vec!["127.0.0.1:80".into(), "/run/web".into()],
            ..Socket::default()
        }],
        container: None,
        loaded: Some(Loaded {
            drop_ins: vec!["/d/50-podseal.conf".into()],
            restrict_address_families: "AF_NETLINK AF_UNIX".into(),
            no_new_privileges: true,
            ..Loaded::default()
        }),
        copies: None,
    }
}

fn container(is_health_checked: bool) -> Container {
    Container {
        id: "0123".into(),
        user: None,
        name: None,
        image: None,
        image_id: None,
        digest: None,
        is_health_checked: Some(is_health_checked),
    }
}

/// The same, after copies of it were run: each had one filter more than the
/// files alone say.
fn copied() -> Service {
    Service {
        copies: Some(Copies {
            host: Some(restrictions(false)),
            container: Some(restrictions(true)),
        }),
        ..sealed()
    }
}

fn processes(service: &mut Service) -> &mut Vec<Process> {
    service.processes.as_mut().unwrap()
}

fn held(service: &mut Service) -> &mut HeldSocket {
    &mut processes(service)[2].sockets.as_mut().unwrap()[0]
}

#[test]
fn a_sealed_service() {
    let report = examine(sealed());
    assert_eq!(report.problems, []);
    assert_eq!(report.live, Live::AsPromised);
    assert_eq!(report.level, Some(Level::Standard));
    assert!(report.is_up());
}

type Change = fn(&mut Service);

/// Whatever is less than promised is named, and no level is reported then.
#[test]
fn what_is_less() {
    let cases: &[(&str, Change)] = &[
        ("process-unsealed", |s| {
            processes(s)[0].restrictions.no_new_privs = false;
        }),
        ("process-unsealed", |s| {
            processes(s)[1].restrictions.seccomp = 0;
        }),
        ("process-unsealed", |s| {
            processes(s)[0].restrictions.filters = Some(3);
        }),
        // As many as the seal has, and fewer than the container's first.
        ("process-unsealed", |s| {
            processes(s)[2].restrictions.filters = Some(5);
        }),
        ("process-unsealed", |s| {
            processes(s)[1].restrictions.network_namespace = Relation::Host;
        }),
        ("process-joined", |s| {
            processes(s)[2].is_descendant = false;
        }),
        ("health-checked", |s| s.container = Some(container(true))),
        ("started-before-seal", |s| processes(s)[0].started = 1000),
        ("seal-not-read", |s| {
            s.loaded.as_mut().unwrap().needs_reload = true;
        }),
        ("seal-not-read", |s| {
            s.loaded.as_mut().unwrap().drop_ins.clear();
        }),
        ("seal-not-read", |s| {
            s.loaded.as_mut().unwrap().restrict_address_families = "~".into();
        }),
        ("seal-not-read", |s| {
            s.loaded.as_mut().unwrap().no_new_privileges = false;
        }),
        ("seal-undone", |s| {
            s.promise
                .mechanisms
                .retain(|id| *id != mechanism::NO_TCP_BIND.id);
        }),
        ("process-unsealed", |s| {
            s.promise.mechanisms.push(mechanism::NO_CAPABILITIES.id);
            processes(s)[2].has_capabilities = false;
        }),
        // An accepted connection that was turned outward.
        ("other-socket", |s| {
            held(s).local = Some("127.0.0.1:4000".parse().unwrap());
        }),
        ("other-socket", |s| held(s).in_own_network = Some(false)),
        ("other-socket", |s| {
            held(s).local = None;
            held(s).protocol = "PACKET".into();
        }),
    ];
    for (index, (id, change)) in cases.iter().enumerate() {
        let mut service = sealed();
        change(&mut service);
        let report = examine(service);
        let ids: Vec<_> = report.problems.iter().map(|p| (p.id, p.is_less)).collect();
        assert_eq!(ids, [(*id, true)], "case {index}");
        assert_eq!(report.live, Live::Less, "case {index}");
        assert_eq!((report.level, report.sealed), (None, Some(false)));
    }
}

/// What a copy had counts, whatever the files say.
#[test]
fn what_is_less_than_a_copy() {
    let cases: &[(&str, &str, Change)] = &[
        ("process-unsealed", "has 4 system-call filters", |s| {
            processes(s)[0].restrictions.filters = Some(4);
        }),
        ("process-unsealed", "has 5 system-call filters", |s| {
            for process in &mut processes(s)[1..] {
                process.restrictions.filters = Some(5);
            }
        }),
        ("process-unsealed", "has no system-call filter", |s| {
            s.promise = Promise::default();
            processes(s)[0].restrictions.seccomp = 0;
        }),
        ("process-unsealed", "no_new_privs is not set", |s| {
            s.promise = Promise::default();
            processes(s)[0].restrictions.no_new_privs = false;
        }),
        ("process-unsealed", "the host's network", |s| {
            s.promise = Promise::default();
            processes(s)[1].restrictions.network_namespace = Relation::Host;
        }),
        ("process-unsealed", "the host's user namespace", |s| {
            processes(s)[0].restrictions.user_namespace = Relation::Host;
        }),
        ("other-socket", "at 127.0.0.1:4000", |s| {
            s.promise = Promise::default();
            held(s).local = Some("127.0.0.1:4000".parse().unwrap());
        }),
    ];
    for (index, (id, words, change)) in cases.iter().enumerate() {
        let mut service = copied();
        change(&mut service);
        let report = examine(service);
        assert_eq!(report.live, Live::Less, "case {index}");
        let problem = report.problems.iter().find(|problem| problem.is_less);
        let problem = problem.unwrap();
        assert_eq!(problem.id, *id, "case {index}");
        assert!(problem.message.contains(words), "{}", problem.message);
    }
    assert_eq!(examine(copied()).problems, []);
    let mut hidden = copied();
    processes(&mut hidden)[1].restrictions.network_namespace = Relation::Unknown;
    let report = examine(hidden);
    assert_eq!(report.problems[0].id, "namespaces-not-seen");
    assert!(NOT_SEEN.contains(&report.problems[0].id));
}

#[test]
fn what_is_not_less() {
    let cases: &[(&[&str], Change)] = &[
        (&[], |s| processes(s)[0].restrictions.filters = None),
        (&["given-up"], |s| {
            s.promise.given_up = vec![mechanism::NO_CONNECT.id];
            s.promise.drop_in.as_mut().unwrap().level = Some(Level::Standard);
        }),
        (&[], |s| {
            processes(s)[0].role = Role::Control;
            processes(s)[0].restrictions.no_new_privs = false;
        }),
        (&[], |s| {
            processes(s)[0].role = Role::Pause;
            processes(s)[0].restrictions.seccomp = 0;
        }),
        (&["seal-stale"], |s| {
            s.promise.drop_in.as_mut().unwrap().state = DropInState::Stale;
        }),
        (&["sockets-not-seen"], |s| processes(s)[0].sockets = None),
        (&[], |s| s.container = Some(container(false))),
        // The rest of a connection.
        (&[], |s| held(s).local = None),
        (&[], |s| {
            s.sockets[0].listen = vec!["80".into()];
            held(s).local = Some("[::ffff:10.0.0.1]:80".parse().unwrap());
        }),
    ];
    for (index, (ids, change)) in cases.iter().enumerate() {
        let mut service = sealed();
        change(&mut service);
        let report = examine(service);
        let found: Vec<_> = report.problems.iter().map(|p| p.id).collect();
        assert_eq!(found, *ids, "case {index}");
        assert_eq!(report.level, Some(Level::Standard), "case {index}");
    }
}

#[test]
fn what_cannot_be_seen_has_no_level() {
    let mut service = sealed();
    service.processes = Err("hidden".into());
    let report = examine(service);
    assert_eq!(
        (report.live, report.level, report.sealed),
        (Live::Unknown, None, None)
    );
    assert_eq!(report.promised_level, Some(Level::Standard));
}

#[test]
fn a_service_without_a_seal() {
    let mut service = sealed();
    service.promise = Promise::default();
    processes(&mut service)[0].restrictions.seccomp = 0;
    let report = examine(service);
    assert_eq!(report.problems, []);
    assert_eq!(
        (report.live, report.sealed),
        (Live::NothingPromised, Some(false))
    );
}

#[test]
fn waiting_and_failed() {
    let mut service = sealed();
    processes(&mut service).clear();
    service.state.active_state = "inactive".into();
    let report = examine(service.clone());
    assert!(report.is_up(), "its socket listens");
    assert_eq!(
        (report.live, report.sealed),
        (Live::NoProcesses, Some(true))
    );
    service.state.active_state = "failed".into();
    service.state.result = "exit-code".into();
    let report = examine(service);
    assert!(!report.is_up());
    let [problem] = report.problems.as_slice() else {
        panic!("{:?}", report.problems);
    };
    assert_eq!(problem.message, "web.service has failed (exit-code)");
    assert_eq!(problem.fix, "`podseal explain web.service` says why");
}
