use std::collections::BTreeMap;

use proptest::prelude::*;

use super::header::{Found, Made, read};
use super::*;
use crate::unit::effective::Scope;
use crate::unit::effective::merge::Source;
use crate::unit::effective::view::View;
use crate::unit::file::UnitFile;

const PATH: &str = "/c/web.service.d/50-podseal.conf";
const PODSEAL: &str = "/usr/bin/podseal";
const STRICT: Profile<'_> = Profile {
    path: "/c/$a %t/50-podseal.seccomp.json",
    text: "{}",
};
const PINNED: &str = "x@sha256:458c97e0eeb0ebf72181a074ef479436f07ee48a1b833cdcff30a4f12785727e";

fn service(unit: &str, text: &str, dropins: &[(&str, &str)], scope: Scope) -> Service {
    let source = |path: &str, text: &str| Source {
        path: path.to_owned(),
        file: UnitFile::parse(text),
    };
    let dropins: Vec<Source> = dropins.iter().map(|(p, t)| source(p, t)).collect();
    let host = BTreeMap::from([('t', "/run/user/1000".to_owned())]);
    let unit = unit.parse().expect("valid");
    match View::new(
        &unit,
        &source("/c/web.service", text),
        &dropins,
        &host,
        scope,
    ) {
        Some(View::Service(service)) => *service,
        other => panic!("{other:?}"),
    }
}

fn sealing(service: &Service, level: Level) -> Sealing<'_> {
    Sealing {
        service,
        unit: &service.unit,
        level,
        given_up: GivenUp::default(),
        allow_connect: false,
        profile: (level >= Level::Strict).then_some(STRICT),
        podseal: PODSEAL,
    }
}

/// What is undone of the seal of a service, with further drop-ins beside it.
fn undone(text: &str, others: &[(&str, &str)], level: Level) -> Vec<String> {
    let base = service("web.service", text, others, Scope::User);
    let sealing = sealing(&base, level);
    let drop_in = drop_in(&sealing).expect("can be written");
    let mut dropins = others.to_vec();
    dropins.push((PATH, &drop_in));
    dropins.sort_by_key(|(path, _)| path.rsplit('/').next().map(str::to_owned));
    let sealed = service("web.service", text, &dropins, Scope::User);
    let undone = verify::undone(&sealing, &sealed, PATH);
    undone.into_iter().map(|r| r.message).collect()
}

#[test]
fn the_seal_of_a_unit_made_by_podman_generate_systemd() {
    let unit = "[Service]\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\nType=notify\nNotifyAccess=all\n\
        ExecStartPre=/bin/rm -f %t/%n.ctr-id\n\
        ExecStart=/usr/bin/podman run --cidfile=%t/%n.ctr-id --rm -d --replace \\\n\
        --name=echo --network=none --pull=never localhost/echo\n\
        ExecStop=/usr/bin/podman stop --ignore --cidfile=%t/%n.ctr-id\n";
    let base = service("web.service", unit, &[], Scope::User);
    let text = drop_in(&sealing(&base, Level::Standard)).expect("can be written");
    let made = Made {
        level: Level::Standard,
        given_up: GivenUp::default(),
        base: super::base(&base),
        profile: None,
        allow_connect: false,
    };
    assert_eq!(read(&text), Found::Ours(made));
    let expected = "[Service]
ExecStartPre=
ExecStartPre=+/usr/bin/podseal pause ensure --quiet
ExecStartPre=/bin/rm -f %t/%n.ctr-id
RestrictAddressFamilies=
RestrictAddressFamilies=AF_UNIX AF_NETLINK
NoNewPrivileges=yes
SystemCallArchitectures=
SystemCallArchitectures=native
SystemCallFilter=~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS
ExecStart=
ExecStart=/usr/bin/podseal enter --level=standard \"--families=AF_UNIX AF_NETLINK\" -- /usr/bin/podman run --cidfile=%t/%n.ctr-id --rm -d --replace  --name=echo --network=none --pull=never localhost/echo
";
    let settings: String = text
        .lines()
        .skip(3)
        .map(|line| line.to_owned() + "\n")
        .collect();
    assert_eq!(settings, expected);
}

#[test]
fn the_options_for_the_container_come_behind_the_verb() {
    for (start, expected) in [
        (
            "/usr/bin/podman run --network=none",
            r#"run OPTIONS "--security-opt=seccomp=/c/$$a %%t/50-podseal.seccomp.json" --network=none"#,
        ),
        (
            ":/usr/bin/env A=1 podman --log-level=info container run -d",
            r#"run OPTIONS "--security-opt=seccomp=/c/$a %%t/50-podseal.seccomp.json" -d"#,
        ),
    ] {
        let unit = format!("[Service]\nExecStart={start} {PINNED} $A run\n");
        let base = service("web.service", &unit, &[], Scope::User);
        let sealing = Sealing {
            allow_connect: true,
            ..sealing(&base, Level::Strict)
        };
        let text = drop_in(&sealing).expect("can be written");
        let options = "--cap-drop=all --security-opt=no-new-privileges --read-only";
        let expected = format!("{} {PINNED} $A run\n", expected.replace("OPTIONS", options));
        assert!(text.ends_with(&expected), "{text}");
        assert!(text.contains(" --allow-connect "), "{text}");
        let made = Made {
            level: Level::Strict,
            given_up: GivenUp::default(),
            base: super::base(&base),
            profile: Some(header::hash(STRICT.text)),
            allow_connect: true,
        };
        assert_eq!(read(&text), Found::Ours(made));
        let sealed = service("web.service", &unit, &[(PATH, &text)], Scope::User);
        assert_eq!(verify::undone(&sealing, &sealed, PATH), []);
        // Without one of the options it would not be the seal.
        let text = text.replace(" --read-only ", " ");
        let sealed = service("web.service", &unit, &[(PATH, &text)], Scope::User);
        assert_eq!(verify::undone(&sealing, &sealed, PATH).len(), 1);
    }
}

#[test]
fn what_contradicts_level_strict_is_refused() {
    for (words, ids) in [
        ("run x", &["image-not-pinned"][..]),
        ("run --rootfs /x", &["not-strict", "image-not-pinned"]),
        (&*format!("run --privileged {PINNED}"), &["not-strict"]),
        (&*format!("run {PINNED} --privileged"), &[]),
    ] {
        let unit = format!("[Service]\nExecStart=/usr/bin/podman {words}\n");
        let base = service("web.service", &unit, &[], Scope::User);
        let refusals = refusal::of_container(&sealing(&base, Level::Strict));
        let found: Vec<&str> = refusals.iter().map(|refusal| refusal.id).collect();
        assert_eq!(found, ids, "{words}");
        assert!(
            refusals.iter().all(|refusal| refusal.origin.is_some()),
            "{refusals:?}"
        );
        let standard = refusal::of_container(&sealing(&base, Level::Standard));
        assert_eq!(standard, [], "{words}");
    }
}

#[test]
fn a_system_service_has_no_pause_process() {
    let unit = "[Service]\nExecStart=/usr/bin/podman run --network=none --pull=never x\n";
    let base = service("web.service", unit, &[], Scope::System);
    let text = drop_in(&sealing(&base, Level::Families)).expect("can be written");
    assert!(!text.contains("ExecStart"), "{text}");
    let sealed = service("web.service", unit, &[(PATH, &text)], Scope::System);
    let undone = verify::undone(&sealing(&base, Level::Families), &sealed, PATH);
    assert_eq!(undone, []);
}

#[test]
fn the_launcher_has_the_pause_process_made_where_it_alone_needs_one() {
    let guardian = format!("ExecStartPre=+{PODSEAL} pause ensure --quiet\n");
    for (lines, level, is_launchers) in [
        ("ExecStart=/usr/bin/podman run x\n", Level::Standard, true),
        (
            "ExecStart=/usr/bin/env A=1 podman run x\n",
            Level::Standard,
            true,
        ),
        ("ExecStart=/usr/bin/podman run x\n", Level::Families, false),
        // Each may use Podman, and comes before the launcher, or in place of what
        // it would join for.
        (
            "ExecStart=/usr/bin/podman run x\nExecStartPre=-/usr/bin/podman rm x\n",
            Level::Standard,
            false,
        ),
        (
            "ExecStart=/usr/bin/podman run x\nExecCondition=/usr/bin/podman image exists x\n",
            Level::Standard,
            false,
        ),
        (
            "Type=oneshot\nExecStart=/usr/bin/podman run x\nExecStart=/opt/a\n",
            Level::Standard,
            false,
        ),
    ] {
        let unit = format!("[Service]\n{lines}");
        let base = service("web.service", &unit, &[], Scope::User);
        let text = drop_in(&sealing(&base, level)).expect("can be written");
        assert_eq!(text.contains(" --make-pause"), is_launchers, "{text}");
        assert_eq!(text.contains(&guardian), !is_launchers, "{text}");
    }
}

#[test]
fn the_pause_process_is_that_of_the_user_of_a_system_service() {
    let start = "ExecStart=/usr/bin/podman run --network=none --pull=never x\n";
    for (unit, user, expected) in [
        ("web.service", "web", "--run-as=web"),
        ("web@one.service", "%i", "--run-as=%i"),
    ] {
        let text = format!("[Service]\nUser={user}\n{start}");
        let base = service(unit, &text, &[], Scope::System);
        let sealing = sealing(&base, Level::Families);
        let drop_in = drop_in(&sealing).expect("can be written");
        let guardian = format!("ExecStartPre=+{PODSEAL} pause ensure --quiet {expected}\n");
        assert!(drop_in.contains(&guardian), "{drop_in}");
        let sealed = service(unit, &text, &[(PATH, &drop_in)], Scope::System);
        assert_eq!(verify::undone(&sealing, &sealed, PATH), []);
        let source = Source {
            path: PATH.to_owned(),
            file: UnitFile::parse(drop_in.as_str()),
        };
        assert!(matches!(fit(&sealed, &source), Fit::Current(_)));
        // Another user's pause process would be of no use.
        let other = text.replace(&format!("User={user}"), "User=bob");
        let other = service(unit, &other, &[(PATH, &drop_in)], Scope::System);
        assert_eq!(
            verify::undone(&self::sealing(&other, Level::Families), &other, PATH).len(),
            1
        );
        assert!(matches!(fit(&other, &source), Fit::Stale(_)));
    }
}

#[test]
fn what_the_seal_is_put_on_makes_no_difference() {
    for unit in [
        "ExecStart=podman run x",
        "ExecStart=-:/usr/bin/podman run \"a b\" $X",
        "ExecStart=\"/opt/my $dir/podman\" run %% %n '$$' ${A} \\; \\x41\nType=oneshot\n",
        "ExecStart=/bin/a 1; /bin/b ; !podman run x \nExecStart=-/bin/c ; :/bin/d /bin/d\nType=oneshot\n",
        "ExecStart=/usr/bin/env A=1 podman run x",
        "ExecStart=/usr/bin/podman run x\nExecStartPre=-+/bin/a '1 2' ; /bin/b\nExecStartPre=/bin/c",
        "ExecStart=/usr/bin/podman run x\nRestrictAddressFamilies=~AF_INET\nRestrictAddressFamilies=AF_INET6",
        "ExecStart=/usr/bin/podman run x\nRestrictAddressFamilies=none\nNoNewPrivileges=no",
        "ExecStart=/usr/bin/podman run x\nSystemCallArchitectures=native x86",
        "ExecStart=/usr/bin/podman run x\nSystemCallFilter=@system-service\nSystemCallFilter=io_uring_setup",
        "ExecStart=/usr/bin/podman run x\nSystemCallFilter=~@mount",
        "ExecStart=/usr/bin/podman run a\\\n# comment\n  b",
    ] {
        for level in [Level::Families, Level::Standard] {
            let unit = format!("[Service]\n{unit}");
            assert_eq!(undone(&unit, &[], level), [""; 0], "{unit}");
        }
    }
}

#[test]
fn what_undoes_the_seal_is_found() {
    let unit = "[Service]\nExecStart=/usr/bin/podman run x\n";
    for (line, key) in [
        ("RestrictAddressFamilies=AF_INET", "RestrictAddressFamilies"),
        ("RestrictAddressFamilies=", "RestrictAddressFamilies"),
        (
            "RestrictAddressFamilies=~AF_UNIX",
            "RestrictAddressFamilies",
        ),
        ("SystemCallArchitectures=x86", "SystemCallArchitectures"),
        ("SystemCallArchitectures=", "SystemCallArchitectures"),
        ("SystemCallFilter=", "SystemCallFilter"),
        ("SystemCallFilter=io_uring_setup", "SystemCallFilter"),
        ("ExecStart=\nExecStart=/usr/bin/podman run x", "ExecStart"),
        ("ExecStartPre=", "ExecStartPre"),
        (
            "ExecStartPre=\nExecStartPre=/usr/bin/podseal pause ensure --quiet",
            "ExecStartPre",
        ),
    ] {
        // From level standard on the launcher may do without.
        let level = match key {
            "ExecStartPre" => Level::Families,
            _ => Level::Standard,
        };
        let later = [(
            "/c/web.service.d/60-x.conf",
            &*format!("[Service]\n{line}\n"),
        )];
        let expected = [format!("{key}= is not what the seal sets")];
        assert_eq!(undone(unit, &later, level), expected, "{line}");
        let earlier = [(
            "/c/web.service.d/40-x.conf",
            &*format!("[Service]\n{line}\n"),
        )];
        assert_eq!(undone(unit, &earlier, level), [""; 0], "{line}");
    }
    let hidden = service(
        "web.service",
        unit,
        &[("/d/50-podseal.conf", unit)],
        Scope::User,
    );
    let undone = verify::undone(&sealing(&hidden, Level::Families), &hidden, PATH);
    assert!(
        undone[0].message.contains("stronger directory"),
        "{undone:?}"
    );
}

#[test]
fn commands_that_no_launcher_can_be_put_before() {
    let run = "ExecStart=/usr/bin/podman run x\n";
    for (lines, id) in [
        (
            "ExecStart=-@/usr/bin/podman /usr/bin/podman run x\n",
            "zeroth-argument",
        ),
        ("ExecStart=|/usr/bin/podman run x\n", "command-by-shell"),
        (
            "ExecStart=/usr/bin/podseal enter -- podman run x\n",
            "launcher-in-command",
        ),
        (
            &*format!("{run}ExecStartPre=/usr/bin/podman run -d y\n"),
            "container-outside-launcher",
        ),
        (
            &*format!("{run}ExecStartPost=/usr/bin/podman start y\n"),
            "container-outside-launcher",
        ),
        (
            &*format!("{run}ExecStartPre=-relative/path\n"),
            "setting-ignored",
        ),
        (
            "ExecStart=/usr/bin/podman run x ; -relative/path\n",
            "setting-ignored",
        ),
    ] {
        let base = service(
            "web.service",
            &format!("[Service]\n{lines}"),
            &[],
            Scope::User,
        );
        let refusals = drop_in(&sealing(&base, Level::Standard)).expect_err(lines);
        let ids: Vec<&str> = refusals.iter().map(|refusal| refusal.id).collect();
        assert_eq!(ids, [id], "{lines}");
        assert_eq!(
            drop_in(&sealing(&base, Level::Families)).is_err(),
            id == "setting-ignored",
            "{lines}"
        );
    }
}

#[test]
fn the_base_is_the_commands_that_are_sealed() {
    let of = |text: &str| base(&service("web.service", text, &[], Scope::User));
    let first = of("[Service]\nExecStart=/bin/a\n");
    assert_eq!(
        first,
        of("# x\n[Service]\nUMask=0\nExecStart=/bin/b\nExecStart=\nExecStart=/bin/a\n")
    );
    assert_ne!(first, of("[Service]\nExecStart=/bin/a b\n"));
    assert_ne!(
        first,
        of("[Service]\nExecStartPre=/bin/a\nExecStart=/bin/a\n")
    );
}

proptest! {
    #[test]
    fn any_arguments_stay_the_same(
        words in prop::collection::vec("[ -~\u{e4}\u{1f4a9}\t\n]{0,12}", 0..6),
        prefixes in "[-:]{0,1}",
        program in "/[a-z $%.]{0,6}podman",
        podseal in "/[a-zA-Z $%.]{0,6}podseal",
    ) {
        let words: Vec<String> = words.iter().map(|word| quote(&without_specifiers(word))).collect();
        let program = quote(&format!("{prefixes}{}", without_specifiers(&program)));
        let text = format!("[Service]\nExecStart={program} run {}\n", words.join(" "));
        let base = service("web.service", &text, &[], Scope::User);
        prop_assume!(base.loads);
        let podseal = crate::unit::exec::simplify(&podseal);
        let sealing = Sealing { podseal: &podseal, ..sealing(&base, Level::Standard) };
        let drop_in = drop_in(&sealing).expect("can be written");
        let sealed = service("web.service", &text, &[(PATH, &drop_in)], Scope::User);
        prop_assert_eq!(verify::undone(&sealing, &sealed, PATH), Vec::<Refusal>::new());
        let argv = &sealed.commands_of("ExecStart")[0].value.argv;
        let own = &base.commands_of("ExecStart")[0].value.argv;
        prop_assert_eq!(&argv[argv.len() - own.len() + 1..], &own[1..]);
    }

    #[test]
    fn a_quoted_word_is_one_word(text in "[\u{1}-\u{7f}\u{e4}\u{1f4a9}]{0,20}") {
        use crate::unit::words::{Flags, Words};
        let quoted = quote(&text);
        let mut words = Words::new(&quoted);
        let flags = Flags::UNQUOTE | Flags::CUNESCAPE;
        prop_assert_eq!(words.next_word(flags), Ok(Some(text)));
        prop_assert_eq!(words.next_word(flags), Ok(None));
    }
}
