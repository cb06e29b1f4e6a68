//! `podseal verify` of services that `podseal run` runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::Value;

use crate::account::{is_root, lacking_here};
use crate::container::{IMAGE, Lab, as_root, as_user};
use crate::fixture::{BOUND, files};
use crate::fixture::{Ended, Place, Running, eventually, output, without_landlock};
use crate::recipe::options;
use crate::schema::Schema;

mod page;
mod running;

const SCHEMA: &str = include_str!("../../../../docs/schema/verify.schema.json");

/// The drop-in's restrictions, as far as `podseal run` needs them said.
const RESTRICTED: &str = "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\n";

/// Writes `web.service` with this command to the place's directory of units.
fn write(place: &Place, command: &str) {
    fs::create_dir_all(place.path("units")).unwrap();
    let text = format!("{RESTRICTED}ExecStart={command}\n");
    fs::write(place.path("units/web.service"), text).unwrap();
}

/// A Podman command that runs the echo server.
fn podman(lab: &Lab) -> String {
    let [global, options] = options(lab);
    let (global, options) = (global.join(" "), options.join(" "));
    format!(
        "/usr/bin/podman {global} run --name=web --replace --rm --detach --network=none \
         --pull=never {options} {IMAGE} echo"
    )
}

fn verify<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["verify", "--units=units"], more, &["web"]].concat()
}

/// The report as JSON, which is as its schema says.
fn json(ended: &Ended) -> Value {
    let document = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    let problem = Schema::parse(SCHEMA).problem(&document);
    assert_eq!(problem, None, "{document:#}");
    document
}

/// The verdicts about a probe, by place.
fn verdicts<'a>(document: &'a Value, id: &str) -> Vec<&'a str> {
    let rows = document["probes"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == id).unwrap();
    let findings = row["findings"].as_array().unwrap().iter();
    findings.map(|f| f["verdict"].as_str().unwrap()).collect()
}

fn a_seal_is_proven_at_every_place(lab: &Lab) {
    let launcher = format!("{} enter --level=standard --", lab.place.podseal());
    write(&lab.place, &format!("{launcher} {}", podman(lab)));
    let ended = output(&mut lab.place.command(&verify(&["--format=json"])));
    let document = json(&ended);
    ended.expect(0, &[]);
    assert_eq!(document["verdict"], "closed");
    assert_eq!(document["level"], "standard");
    assert_eq!(document["reached"], "standard");
    for row in document["probes"].as_array().unwrap() {
        for finding in row["findings"].as_array().unwrap() {
            if finding["is_promised"] == true && row["is_absent"] == false {
                assert_eq!(finding["verdict"], "closed", "{row:#}");
            }
        }
    }
    assert_eq!(verdicts(&document, "relisten"), ["accepted"; 3]);
    assert!(files(&lab.place.path("units")) == ["web.service"]);
    lab.expect_nothing_left();
}

fn a_weaker_seal_is_told_from_a_stronger(lab: &Lab) {
    write(&lab.place, &podman(lab));
    let ended = output(&mut lab.place.command(&verify(&["--format=json"])));
    let document = json(&ended);
    ended.expect(0, &[]);
    assert_eq!(document["level"], "families");
    assert_eq!(document["reached"], "families");
    assert_eq!(verdicts(&document, "af-inet"), ["closed"; 3]);
    assert_eq!(verdicts(&document, "turn-outward"), ["accepted"; 3]);

    let more = ["--level=standard", "--html=page.html"];
    let ended = output(&mut lab.place.command(&verify(&more)));
    ended.expect(1, &[]);
    let page = fs::read_to_string(lab.place.path("page.html")).unwrap();
    assert!(page.contains("<h1>web.service</h1>") && page.contains("<details open>"));
    let said = &ended.stdout;
    let line = "- listener: AF_UNSPEC, connect (turn-outward): the victim heard from it";
    assert!(said.contains("\nOPEN:\n") && said.contains(line), "{said}");
    lab.expect_nothing_left();
}

fn two_at_once_do_not_meet(lab: &Lab) {
    let launcher = format!("{} enter --level=standard --", lab.place.podseal());
    write(&lab.place, &format!("{launcher} {}", podman(lab)));
    let both = [(); 2].map(|()| Running::start(&mut lab.place.command(&verify(&[]))));
    for run in both {
        let ended = run.end();
        ended.expect(0, &[]);
        assert!(ended.stdout.contains("proven: level standard"), "{ended:?}");
    }
    lab.expect_nothing_left();
}

use running::{
    a_run_of_an_image_is_verified_by_its_name, more_families_are_no_level,
    what_runs_is_held_against_the_copies, what_was_given_up_is_said,
};

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        mod by_root {
            $(#[test] fn $name() { super::as_root(stringify!($name), super::$name); })*
        }
        mod by_user {
            $(#[test] fn $name() { super::as_user(stringify!($name), super::$name); })*
        }
    };
}

scenarios![
    a_seal_is_proven_at_every_place,
    a_weaker_seal_is_told_from_a_stronger,
    two_at_once_do_not_meet,
    what_runs_is_held_against_the_copies,
    a_run_of_an_image_is_verified_by_its_name,
    what_was_given_up_is_said,
    more_families_are_no_level,
];

/// A place with a program in Podman's place that does what a script says where
/// a container is to be run. None where podseal would ask the real one for its
/// namespaces.
fn with_podman(what: &str, script: &str) -> Option<Place> {
    if !is_root() {
        lacking_here(what, "the tests do not run as root");
        return None;
    }
    let place = Place::new();
    fs::create_dir(place.path("bin")).unwrap();
    let text = format!(
        "#!/bin/sh\ncase $1 in run) ;; *) exit 0;; esac\n\
         case \"$*\" in *--network=host*) exit 125;; esac\n{script}\n"
    );
    let text = text.replace("PLACE", &place.text(""));
    let script = place.path("script");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&script, place.path("bin/podman")).unwrap();
    let (podseal, podman) = (place.podseal(), place.text("bin/podman"));
    write(
        &place,
        &format!("{podseal} enter --level=standard -- {podman} run --network=none image"),
    );
    Some(place)
}

#[test]
fn probes_that_are_killed_half_way_show_nothing() {
    let script = "printf '{\"version\":1,\"results\":[{\"id\":\"af-inet\",'\nkill -KILL $$";
    let Some(place) = with_podman("probes that are killed", script) else {
        return;
    };
    let ended = output(&mut place.command(&verify(&["--format=json"])));
    ended.expect(3, &[]);
    let document = json(&ended);
    assert_eq!(document["reached"], Value::Null);
    assert_eq!(
        verdicts(&document, "af-inet"),
        ["closed", "inconclusive", "inconclusive"]
    );
    let failure = document["places"][2]["failure"].as_str().unwrap();
    assert!(failure.contains("was killed by signal 9"), "{failure}");
    place.expect_nothing_left();
}

#[test]
fn what_podman_says_is_the_reason() {
    let script = "echo 'Error: no such image' >&2\nexit 125";
    let Some(place) = with_podman("a Podman that fails", script) else {
        return;
    };
    let ended = output(&mut place.command(&verify(&[])));
    ended.expect(3, &[]);
    let line = "Nothing could be tried in the place of container: Error: no such image";
    assert!(ended.stdout.contains(line), "{ended:?}");
    place.expect_nothing_left();
}

#[test]
fn interrupted_it_leaves_nothing() {
    let script = "touch PLACE/started\nexec sleep 1000";
    let Some(place) = with_podman("an interruption", script) else {
        return;
    };
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let run = start_and_wait(&place);
        run.signal(signal);
        run.end().expect(1, &["error: interrupted"]);
        place.expect_nothing_left();
    }
}

#[test]
fn what_a_killed_one_left_is_removed_by_the_next() {
    let script = "touch PLACE/started\nexec sleep 1000";
    let Some(place) = with_podman("a killed one", script) else {
        return;
    };
    let run = start_and_wait(&place);
    run.signal(Signal::KILL);
    run.end();
    assert!(place.path("podseal").is_dir(), "it left something");
    let run = start_and_wait(&place);
    let directories = files(&place.path("podseal"));
    let of_it = directories
        .iter()
        .filter(|name| name.starts_with("verify-"));
    // Its own and that of the run in it.
    assert_eq!(of_it.count(), 2, "{directories:?}");
    run.stop().expect(1, &["error: interrupted"]);
    place.expect_nothing_left();
}

/// Waits until it is where Podman would run a container.
fn start_and_wait(place: &Place) -> Running {
    let started = place.path("started");
    let _ = fs::remove_file(&started);
    let run = Running::start(&mut place.command(&verify(&[])));
    let found = eventually(BOUND, || started.exists().then_some(()));
    assert!(found.is_some(), "{}", run.stderr());
    run
}

/// The launcher does not start anything then, so nothing is shown to be closed.
#[test]
fn without_landlock_nothing_is_proven() {
    let Some(place) = with_podman("a kernel without Landlock", "exit 1") else {
        return;
    };
    without_landlock(move || {
        let ended = output(&mut place.command(&verify(&["--format=json"])));
        ended.expect(3, &[]);
        let document = json(&ended);
        assert_eq!(document["reached"], Value::Null);
        for stop in document["places"].as_array().unwrap() {
            let failure = stop["failure"].as_str().unwrap();
            assert!(failure.contains("Landlock"), "{failure}");
        }
        place.expect_nothing_left();
    });
}

/// No port is chosen by podseal, and where the kernel has none left to give
/// there is an error and nothing else.
#[test]
fn without_free_ports_nothing_is_shown() {
    let Some(place) = with_podman("a network without free ports", "exit 1") else {
        return;
    };
    let script = "ip link set lo up && echo 40000 40000 >/proc/sys/net/ipv4/ip_local_port_range && \
                  exec \"$@\"";
    let mut command = place.program("unshare");
    command.args(["--net", "--", "sh", "-c", script, "sh"]);
    command.arg(place.podseal()).args(verify(&[]));
    let ended = output(&mut command);
    if ended.stderr.contains("ip: not found") {
        return lacking_here("a network without free ports", "there is no ip");
    }
    ended.expect(1, &["cannot make the probes without a seal", "in use"]);
    assert_eq!(ended.stdout, "");
    place.expect_nothing_left();
}

/// What is wrong with the service is wrong with its copies, too.
#[test]
fn why_a_copy_did_not_start_is_said() {
    let Some(place) = with_podman("a copy that does not start", "exit 1") else {
        return;
    };
    let unit = place.path("units/web.service");
    let text = fs::read_to_string(&unit).unwrap();
    fs::write(&unit, format!("{text}EnvironmentFile=/nonexistent\n")).unwrap();
    let ended = output(&mut place.command(&verify(&["--format=json"])));
    ended.expect(3, &[]);
    for stop in json(&ended)["places"].as_array().unwrap() {
        let (failure, seen) = (&stop["failure"], &stop["why"]["seen"]);
        let text = "cannot read EnvironmentFile=/nonexistent";
        assert!(failure.to_string().contains(text), "{stop:#}");
        assert!(seen.to_string().contains(text), "{stop:#}");
    }
    place.expect_nothing_left();
}

/// It is the only place that it has.
#[test]
fn a_program_without_a_container_is_verified_in_its_own_place() {
    let place = Place::new();
    let (podseal, socket) = (place.podseal(), place.text("socket"));
    let listen = format!("--listen={socket}");
    let run = place.run(&["--name=it", &listen], &[&podseal, "echo"]);
    run.wait_for("listening on ");
    let ended = output(&mut place.command(&["verify", "--format=json", "it"]));
    ended.expect(0, &[]);
    let document = json(&ended);
    assert_eq!(document["places"].as_array().unwrap().len(), 1);
    assert_eq!(document["reached"], "standard");
    assert_eq!(verdicts(&document, "turn-outward"), ["closed"]);
    let ended = output(&mut place.command(&["verify", "--html=page.html", "it"]));
    let said = "it is a program that runs no container, so everything was tried in its own place";
    ended.expect(0, &[]);
    assert!(ended.stdout.contains(said), "{ended:?}");
    let page = fs::read_to_string(place.path("page.html")).unwrap();
    assert!(page.contains(said) && page.contains("no container</"));
    // Strict promises something of a container, and there was none to look at.
    let words = ["verify", "--level=strict", "--format=json", "it"];
    let ended = output(&mut place.command(&words));
    ended.expect(3, &[]);
    let document = json(&ended);
    assert!(document["reached"].is_null(), "{document:#}");
    let failure = document["places"][2]["failure"].as_str().unwrap();
    assert!(
        failure.ends_with("is no podman run that podseal sees"),
        "{failure}"
    );
    run.stop().expect(0, &[]);
    place.expect_nothing_left();
}

#[test]
fn what_cannot_be_verified_is_said() {
    let place = Place::new();
    let unsealed = "[Service]\nExecStart=podman run x\n";
    let socket = "[Socket]\nListenStream=/x\n";
    fs::create_dir(place.path("units")).unwrap();
    for (name, text) in [("plain.service", unsealed), ("web.socket", socket)] {
        fs::write(place.path("units").join(name), text).unwrap();
    }
    for (unit, expected) in [
        ("plain", "plain.service is not sealed"),
        (
            "web.socket",
            "web.socket is no service that could be started",
        ),
        ("none", "none.service"),
        ("./plain.service", "is no name of a service"),
    ] {
        let words = ["verify", "--units=units", unit];
        output(&mut place.command(&words)).expect(1, &[expected, "hint: "]);
    }
    output(&mut place.command(&["verify", "--units=missing", "a"])).expect(1, &["missing"]);
    place.expect_nothing_left();
}
