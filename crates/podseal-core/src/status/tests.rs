use super::*;

fn process(role: Role) -> Process {
    Process {
        pid: 7,
        name: "conmon".into(),
        role,
        no_new_privs: true,
        seccomp_filters: 1,
        own_user_namespace: Some(true),
        own_network: Some(true),
        sockets: Some(Vec::new()),
    }
}

fn socket(local: &str) -> InternetSocket {
    InternetSocket {
        protocol: "tcp",
        local: Some(local.parse().expect("an address")),
        remote: None,
    }
}

fn seal() -> Seal {
    Seal::DropIn {
        path: "/a".into(),
        level: "standard".into(),
    }
}

#[test]
fn nothing_is_short_of_a_sealed_process() {
    let processes = [Role::Launch, Role::Conmon, Role::Container].map(process);
    assert!(shortfalls(&seal(), &processes, &Live::default()).is_empty());
}

#[test]
fn each_part_that_a_process_lacks_is_named() {
    type Spoil = fn(&mut Process);
    let cases: &[(Spoil, &str)] = &[
        (|p| p.no_new_privs = false, "NoNewPrivs"),
        (|p| p.seccomp_filters = 0, "no seccomp filter"),
        (|p| p.own_network = Some(false), "the host's network"),
        (|p| p.sockets = None, "not looked at"),
        (
            |p| p.sockets = Some(vec![socket("192.0.2.1:9")]),
            "tcp 192.0.2.1:9",
        ),
    ];
    for (spoil, named) in cases {
        let mut spoilt = process(Role::Container);
        spoil(&mut spoilt);
        let processes = [process(Role::Launch), spoilt];
        let short = shortfalls(&seal(), &processes, &Live::default());
        assert_eq!(short.len(), 1, "{short:?}");
        assert!(
            short[0].contains(named) && short[0].contains("process 7"),
            "{short:?}"
        );
    }
}

#[test]
fn the_pause_process_is_made_outside_and_conmon_has_the_hosts_network() {
    let mut pause = process(Role::Pause);
    pause.no_new_privs = false;
    pause.seccomp_filters = 0;
    let mut conmon = process(Role::Conmon);
    conmon.own_network = Some(false);
    assert!(shortfalls(&seal(), &[pause, conmon], &Live::default()).is_empty());
}

#[test]
fn what_is_true_of_the_whole_service_is_short_too() {
    let older = Live {
        is_older_than_seal: true,
        ..Live::default()
    };
    let unread = Live {
        needs_reload: true,
        ..Live::default()
    };
    let stale = Seal::Stale {
        path: "/a".into(),
        why: "it was edited".into(),
    };
    assert_eq!(shortfalls(&seal(), &[], &older).len(), 1);
    assert_eq!(shortfalls(&seal(), &[], &unread).len(), 1);
    assert_eq!(shortfalls(&stale, &[], &Live::default()).len(), 1);
    // What promises nothing falls short of nothing.
    let mut bare = process(Role::Launch);
    bare.no_new_privs = false;
    assert!(shortfalls(&Seal::None, &[bare], &older).is_empty());
}

#[test]
fn sockets_are_told_by_their_local_address() {
    let listeners = ["127.0.0.1:80", "[::]:443"].map(|text| text.parse().expect("an address"));
    for (local, expected) in [
        ("127.0.0.1:80", true),
        ("[::ffff:127.0.0.1]:80", true),
        ("127.0.0.2:80", false),
        ("127.0.0.1:81", false),
        ("192.0.2.1:443", true),
        ("[2001:db8::1]:443", true),
    ] {
        assert_eq!(socket(local).is_from(&listeners), expected, "{local}");
    }
    let packet = InternetSocket {
        protocol: "packet",
        local: None,
        remote: None,
    };
    assert!(!packet.is_from(&listeners));
}
