use std::collections::BTreeMap;

use super::copy::{Own, oci_runtime};
use super::subject::{NoSubject, Subject};
use super::*;
use crate::policy::level::Level;
use crate::probe::PROBES;
use crate::unit::effective::Scope;
use crate::unit::effective::merge::Source;
use crate::unit::effective::service::Service;
use crate::unit::effective::view::View;
use crate::unit::file::UnitFile;

fn service(text: &str, dropins: &[(&str, &str)]) -> Service {
    service_in(Scope::User, text, dropins)
}

fn service_in(scope: Scope, text: &str, dropins: &[(&str, &str)]) -> Service {
    let source = |path: &str, text: &str| Source {
        path: path.to_owned(),
        file: UnitFile::parse(text),
    };
    let dropins: Vec<Source> = dropins.iter().map(|(p, t)| source(p, t)).collect();
    let host = BTreeMap::from([('t', "/run/user/1000".to_owned())]);
    let unit = "web@a.service".parse().expect("valid");
    let file = source("/c/web@.service", text);
    match View::new(&unit, &file, &dropins, &host, scope) {
        Some(View::Service(service)) => *service,
        other => panic!("{other:?}"),
    }
}

const OWN: Own<'_> = Own {
    podseal: "/usr/bin/podseal",
    name: "podseal-verify-7-x",
    socket: "/r/x.socket",
    oci_runtime: "/r/w/runc",
    directory: "/r",
    probe: &[],
};

/// The copy's unit, with arguments of the probe program.
fn copy(service: &Service, place: Place) -> Result<String, String> {
    let probe = ["probe", "--token=a"].map(str::to_owned);
    let own = Own {
        probe: &probe,
        ..OWN
    };
    Subject::new(service).expect("a command").unit(place, &own)
}

fn line<'a>(unit: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = unit.lines();
    lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

const SEALED: &str = "[Unit]\nRequires=x.service\n[Service]\nType=notify\nNotifyAccess=all\n\
    Restart=always\nExecStartPre=/bin/rm -f %t/%N.id\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\n\
    SystemCallFilter=~io_uring_setup:ENOSYS\nEnvironment=UNIT=%n A=%%n B=%h OPT=$x\n\
    RuntimeDirectory=%p\nDelegate=yes\nStandardOutput=null\n\
    ExecStart=/usr/bin/podseal enter --level=standard -- /usr/bin/podman --runtime=crun run \
    --name %N --cidfile=%t/%N.cid --replace -d --health-cmd \"x y\" -e A=$B -v /a:/b img:1 serve 'a b'\n";

#[test]
fn a_copy_has_what_the_service_is_sealed_with() {
    let service = service(SEALED, &[]);
    let unit = copy(&service, Place::Podman).expect("made");
    for (key, value) in [
        ("RestrictAddressFamilies", "AF_UNIX AF_NETLINK"),
        ("SystemCallFilter", "~io_uring_setup:ENOSYS"),
        // The copy has another name.
        ("Environment", "UNIT=web@a.service A=%%n B=%h OPT=$x"),
        ("RuntimeDirectory", "web"),
        ("RuntimeDirectoryPreserve", "yes"),
        ("Delegate", "yes"),
        ("Type", "oneshot"),
        ("ExecStartPre", "+/usr/bin/podseal pause ensure --quiet"),
    ] {
        assert_eq!(line(&unit, key), Some(value), "{key} in {unit}");
    }
    for key in ["Requires", "Restart", "NotifyAccess", "StandardOutput"] {
        assert_eq!(line(&unit, key), None, "{key} in {unit}");
    }
}

#[test]
fn the_probes_take_the_place_of_the_program() {
    let service = service(SEALED, &[]);
    let start = |place| {
        let unit = copy(&service, place).expect("made");
        line(&unit, "ExecStart").expect("a command").to_owned()
    };
    let launcher = "/usr/bin/podseal receive /r/x.socket -- /usr/bin/podseal enter";
    assert_eq!(
        start(Place::Podman),
        format!(
            "{launcher} --join=always --level=standard -- /usr/bin/podseal probe --token=a -- \
             /usr/bin/podman --runtime=crun run --network=host --pull=never --rm --replace \
             --log-driver=none --no-healthcheck --name=podseal-verify-7-x \
             --volume=/usr/bin/podseal:/podseal-verify:ro --entrypoint=/podseal-verify img:1"
        )
    );
    let podman = format!(
        "{launcher} --level=standard -- /usr/bin/podman --runtime=crun run --name web@a \
         --cidfile=/run/user/1000/web@a.cid --replace -d --health-cmd \"x y\" -e A=$B -v /a:/b \
         --name=podseal-verify-7-x --replace=false --rm=true --restart=no --detach=false \
         --interactive=false --tty=false --sdnotify=ignore --log-driver=none --stop-timeout=0 \
         --cidfile=/r/podseal-verify-7-x.cidfile --health-cmd=none"
    );
    assert_eq!(
        start(Place::OciRuntime),
        format!("{podman} --runtime=/r/w/runc img:1 serve \"a b\"")
    );
    assert_eq!(
        start(Place::Container),
        format!(
            "{podman} --volume=/usr/bin/podseal:/podseal-verify:ro --entrypoint=/podseal-verify \
             img:1 probe --token=a"
        )
    );
    let subject = Subject::new(&service).expect("a command");
    assert_eq!(subject.oci_runtime(), "crun");
    assert_eq!(subject.podman(), Some("/usr/bin/podman"));
}

#[test]
fn commands_of_every_kind() {
    // What it starts, how the copy for Podman's place begins and ends, and
    // whether there is one for the container.
    let ends = "-- /usr/bin/podseal probe --token=a";
    for (command, podman, container) in [
        ("/usr/bin/podman run x", ends, true),
        (":podman run -- x", ends, true),
        ("podman container run x", ends, true),
        (
            "/usr/bin/env A=1 podman run x",
            "-- /usr/bin/env A=1 /usr/bin/podseal probe --token=a",
            true,
        ),
        (
            "/b/podseal enter --join=always -- /usr/bin/env A=1 podman run x",
            "-- /b/podseal enter --join=always -- /usr/bin/env A=1 /usr/bin/podseal probe --token=a",
            true,
        ),
        // Not Podman, and so not in its namespaces.
        (
            "/b/podseal enter -- /srv/server --port 1",
            "-- /b/podseal enter -- /usr/bin/podseal probe --token=a",
            false,
        ),
        ("/bin/sh -c 'podman run x'", ends, false),
        ("podman create x", ends, false),
        ("podman start x", ends, false),
        ("podman kube play x.yaml", ends, false),
        ("podman run --pod=p x", ends, false),
        ("podman run --frobnicate x", ends, false),
        ("podman run $OPTIONS x", ends, false),
        ("podman run", ends, false),
    ] {
        let service = service(&format!("[Service]\nExecStart={command}\n"), &[]);
        let unit = copy(&service, Place::Podman).expect("made");
        let start = line(&unit, "ExecStart").expect("a command");
        // Podman itself is one of the probes.
        if container {
            assert!(
                start.contains(&format!("{podman} -- ")),
                "{command}: {start}"
            );
        } else {
            assert!(start.ends_with(podman), "{command}: {start}");
        }
        assert_eq!(start.contains("--network=host"), container, "{start}");
        let expands = !command.starts_with(':');
        assert_eq!(
            start.starts_with("/usr/bin/podseal receive"),
            expands,
            "{start}"
        );
        for place in [Place::OciRuntime, Place::Container] {
            let made = copy(&service, place);
            assert_eq!(made.is_ok(), container, "{command}: {made:?}");
        }
    }
    for (text, why) in [
        (
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=/bin/true\n",
            NoSubject::NoCommand,
        ),
        ("[Service]\n", NoSubject::NotLoaded),
        ("[Service]\nExecStart=|podman run x\n", NoSubject::Shell),
    ] {
        assert_eq!(Subject::new(&service(text, &[])).err(), Some(why), "{text}");
    }
}

#[test]
fn copies_run_as_the_user_that_the_service_does() {
    let guardian = "+/usr/bin/podseal pause ensure --quiet";
    let of_web = format!("{guardian} --run-as=web");
    for (scope, user, prefix, run_as, expected) in [
        (
            Scope::System,
            "User=web\nGroup=www\n",
            "",
            Some("web"),
            Some(&*of_web),
        ),
        (Scope::System, "User=%p\n", "", Some("web"), Some(&*of_web)),
        // With these it stays root.
        (Scope::System, "User=web\n", "+", None, None),
        (Scope::System, "User=web\n", "!", None, None),
        (Scope::System, "User=root\n", "", None, None),
        (Scope::System, "", "", None, None),
        // No other user's manager can become somebody.
        (Scope::User, "User=web\n", "", None, Some(guardian)),
    ] {
        let text = format!(
            "[Service]\n{user}SupplementaryGroups=audio\n\
             ExecStart={prefix}/usr/bin/podseal enter -- /usr/bin/podman run x\n"
        );
        let service = service_in(scope, &text, &[]);
        let subject = Subject::new(&service).expect("a command");
        assert_eq!(subject.run_as(), run_as, "{text}");
        let unit = subject.unit(Place::Podman, &OWN).expect("made");
        assert_eq!(line(&unit, "ExecStartPre"), expected, "{unit}");
        let joins = unit.contains("enter --join=always --");
        assert_eq!(joins, expected.is_some(), "{unit}");
        let kept = user.replace("%p", "web");
        assert!(unit.contains(&kept), "{unit}");
        assert_eq!(line(&unit, "SupplementaryGroups"), Some("audio"), "{unit}");
    }
}

#[test]
fn the_level_that_a_service_claims() {
    let families = "RestrictAddressFamilies=AF_UNIX AF_NETLINK\n";
    for (restriction, command, level) in [
        ("", "podman run x", None),
        (families, "podman run x", Some(Level::Families)),
        (
            "RestrictAddressFamilies=AF_UNIX AF_INET\n",
            "podman run x",
            None,
        ),
        ("RestrictAddressFamilies=~AF_INET\n", "podman run x", None),
        (
            families,
            "/b/podseal enter --level=standard -- podman run x",
            Some(Level::Standard),
        ),
        (
            "",
            "/b/podseal enter --level families -- podman run x",
            Some(Level::Families),
        ),
        (
            "",
            "/b/podseal enter -- podman run x",
            Some(Level::default()),
        ),
        ("", "/b/podseal enter --level=other -- podman run x", None),
        // It is the container's.
        ("", "podman run x /b/podseal enter", None),
    ] {
        let text = format!("[Service]\n{restriction}ExecStart={command}\n");
        let service = service(&text, &[]);
        let subject = Subject::new(&service).expect("a command");
        assert_eq!(subject.level(), level, "{text}");
    }
}

/// What a launcher is told is in the seal, where systemd does not undo it.
#[test]
fn more_families_are_held_against_nobody() {
    let command = "ExecStart=/b/podseal enter '--families=AF_UNIX AF_INET' -- podman run x\n";
    for (restriction, wider) in [
        ("", "AF_INET"),
        ("RestrictAddressFamilies=AF_UNIX AF_INET\n", "AF_INET"),
        ("RestrictAddressFamilies=AF_UNIX\n", "none"),
    ] {
        let service = service(&format!("[Service]\n{restriction}{command}"), &[]);
        let subject = Subject::new(&service).expect("a command");
        let seal = subject.seal(None).expect("a seal");
        assert_eq!(seal.wider_families().to_string(), wider, "{restriction}");
        let probe = probe::find("af-inet").expect("a probe");
        let is_given_up = wider != "none";
        for place in Place::ALL {
            assert_eq!(is_promised(probe, &seal, place), !is_given_up);
            let option = is_given_up.then_some("--families");
            assert_eq!(given_up_by(probe, &seal, place), option);
        }
        assert_eq!(seal.given_up().len(), usize::from(is_given_up));
    }
}

/// A program without a container has one place, unless its level wants more.
#[test]
fn places_of_a_program() {
    let all = Place::ALL.as_slice();
    for (says, command, level, places) in [
        ("no", "/b/server", Level::Standard, &[Place::Podman][..]),
        ("no", "/b/server", Level::Strict, all),
        ("no", "podman run x", Level::Standard, all),
        ("yes", "/b/server", Level::Standard, all),
    ] {
        let text = format!("[Service]\nX-Podseal-Container={says}\nExecStart={command}\n");
        let service = service(&text, &[]);
        let subject = Subject::new(&service).expect("a command");
        let seal = subject.seal(Some(level)).expect("a seal");
        assert_eq!(subject.places(&seal), places, "{text}");
    }
}

/// They are in the copy's file, and would count a second time.
#[test]
fn dropins_for_all_services_are_hidden() {
    let dropins = [
        ("/c/service.d/10-all.conf", "[Service]\nUMask=0077\n"),
        ("/c/web@.service.d/50-podseal.conf", "[Service]\nNice=1\n"),
    ];
    let service = service("[Service]\nExecStart=podman run x\n", &dropins);
    let subject = Subject::new(&service).expect("a command");
    assert_eq!(subject.dropins_for_all(), ["10-all.conf"]);
    let unit = copy(&service, Place::Podman).expect("made");
    assert_eq!(line(&unit, "UMask"), Some("0077"));
}

#[test]
fn literal_percent_signs_stay() {
    let text = "[Service]\nExecStart=podman run --log-opt=tag=%%n x\n";
    let unit = copy(&service(text, &[]), Place::OciRuntime).expect("made");
    assert!(unit.contains("--log-opt=tag=%%n "), "{unit}");
    // A specifier that podseal has no value for is systemd's.
    let text = "[Service]\nExecStart=podman run -v %S/x:/x x\n";
    let unit = copy(&service(text, &[]), Place::OciRuntime).expect("made");
    assert!(unit.contains("-v %S/x:/x "), "{unit}");
}

#[test]
fn the_program_in_the_oci_runtimes_place_quotes() {
    let probe = ["probe", "--token=it's"].map(str::to_owned);
    let own = Own {
        probe: &probe,
        ..OWN
    };
    let script = oci_runtime(&own, &["one", "two"], "/r/a report");
    assert!(
        script.contains(r"exec '/usr/bin/podseal' 'probe' '--token=it'\''s' >'/r/a report'"),
        "{script}"
    );
    assert!(
        script.contains("LISTEN_FDS=2 LISTEN_FDNAMES='one:two'"),
        "{script}"
    );
}

#[test]
fn what_is_open_is_judged_by_the_level() {
    let probe = PROBES
        .iter()
        .find(|probe| probe.id == "turn-outward")
        .expect("a row");
    let refused = Outcome::Refused { errno: 13 };
    let works = Outcome::Succeeded;
    for (level, control, sealed, expected) in [
        (Level::Standard, &works, &refused, Verdict::Closed),
        (Level::Families, &works, &refused, Verdict::Closed),
        (Level::Standard, &works, &works, Verdict::Open),
        (Level::Families, &works, &works, Verdict::Accepted),
        (Level::Standard, &refused, &refused, Verdict::Inconclusive),
        // What works under the seal is open, whatever the control says.
        (Level::Standard, &refused, &works, Verdict::Open),
    ] {
        let seal = Seal {
            level,
            ..Seal::default()
        };
        let found = judge(probe, &seal, Place::Podman, control, sealed);
        assert_eq!(found, expected, "{level} {control:?} {sealed:?}");
    }
    assert_eq!(
        evidence(probe, &refused),
        "Permission denied (os error 13); the victim heard nothing"
    );
    assert_eq!(evidence(probe, &works), "the victim heard from it");
}

#[test]
fn who_is_outside_is_out_of_a_containers_sight() {
    let seal = Seal::default();
    for (id, errno, place, expected) in [
        ("signal", 3, Place::Container, Verdict::Closed),
        ("signal", 3, Place::Podman, Verdict::Inconclusive),
        ("abstract-socket", 111, Place::Container, Verdict::Closed),
        (
            "abstract-socket",
            111,
            Place::OciRuntime,
            Verdict::Inconclusive,
        ),
        (
            "abstract-socket",
            3,
            Place::Container,
            Verdict::Inconclusive,
        ),
        ("turn-outward", 111, Place::Container, Verdict::Inconclusive),
    ] {
        let probe = probe::find(id).expect(id);
        let refused = Outcome::Refused { errno };
        let found = judge(probe, &seal, place, &Outcome::Succeeded, &refused);
        assert_eq!(found, expected, "{id} {errno} {place}");
        let found = judge(probe, &seal, place, &refused, &refused);
        assert_eq!(found, Verdict::Inconclusive, "{id} without a control");
    }
}

#[test]
fn podman_run_in_the_hosts_network_is_tried_where_podman_runs() {
    let text = "[Service]\nExecStart=/usr/bin/podman --runtime=runc run --network none \
                --ulimit nofile=9 -v %S/x:/x img:1 serve\n";
    let service = service(text, &[]);
    let unit = copy(&service, Place::Podman).expect("made");
    let start = line(&unit, "ExecStart").expect("a command");
    let command = "/usr/bin/podman --runtime=runc run --network=host --pull=never --rm --replace \
                   --log-driver=none --no-healthcheck --name=podseal-verify-7-x \
                   --volume=/usr/bin/podseal:/podseal-verify:ro --entrypoint=/podseal-verify \
                   --ulimit=nofile=9 img:1";
    assert!(start.ends_with(&format!(" -- {command}")), "{start}");
    let subject = Subject::new(&service).expect("a command");
    let plain = subject.host_network_command("/usr/bin/podseal", "podseal-verify-7-x");
    assert_eq!(plain.map(|words| words.join(" ")).as_deref(), Some(command));
    for place in [Place::OciRuntime, Place::Container] {
        let probe = probe::find("host-network").expect("a row");
        assert!(!is_promised(probe, &Seal::default(), place), "{place}");
    }
}
