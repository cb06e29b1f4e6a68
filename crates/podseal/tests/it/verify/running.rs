//! The service itself, which `podseal run` runs meanwhile.

use super::{RESTRICTED, json, podman, verdicts, verify};
use crate::container::Lab;
use crate::fixture::output;
use crate::talk::{free_port, hello};
use crate::units::Units;

/// A service with a launcher, or without.
fn service(lab: &Lab, launcher: &str) -> String {
    let podman = podman(lab).replace("--detach", "--detach --sdnotify=conmon");
    format!("{RESTRICTED}Type=notify\nNotifyAccess=all\nExecStart={launcher}{podman}\n")
}

pub(super) fn what_runs_is_held_against_the_copies(lab: &Lab) {
    let address = format!("127.0.0.1:{}", free_port());
    let socket = format!("[Socket]\nListenStream={address}\n");
    let service = |launcher: &str| service(lab, launcher);
    let sealed = service("PODSEAL enter --level=standard -- ");
    let units = Units::new(
        &lab.place,
        &[("web.socket", &socket), ("web.service", &service(""))],
    );
    let run = units.run(&["web.socket"]);
    run.wait_for("web.socket: listening on ");
    let ended = output(&mut lab.place.command(&verify(&[])));
    ended.expect(0, &[]);
    let line = "The running service: it does not run, so there was nothing to look at";
    assert!(ended.stdout.contains(line), "{ended:?}");

    // Sealed at another level since it was started.
    hello(&address).unwrap();
    units.write("web.service", &sealed);
    let ended = output(&mut lab.place.command(&verify(&["--format=json"])));
    ended.expect(1, &[]);
    let document = json(&ended);
    assert_eq!(document["running"]["verdict"], "open");
    assert_eq!(document["verdict"], "open");
    assert!(document["reached"].is_null());
    let problems = document["running"]["problems"].as_array().unwrap();
    // conmon and the container's process.
    assert!(problems.len() >= 2, "{problems:#?}");
    for problem in problems {
        assert_eq!(problem["id"], "process-unsealed", "{problem:#}");
        assert_eq!(problem["fix"], "restart the service", "{problem:#}");
    }
    let ended = output(&mut lab.place.command(&verify(&[])));
    ended.expect(1, &[]);
    let line = "copies of it keep what level standard promises, but what runs is LESS; proven: no";
    assert!(ended.stdout.contains(line), "{ended:?}");

    units.ask(&["restart", "web.service"]).expect(0, &[]);
    let before = hello(&address);
    // It is found by its name as well.
    let ended = output(&mut lab.place.command(&["verify", "--format=json", "web"]));
    ended.expect(0, &["looking at web.service of the run web"]);
    let document = json(&ended);
    assert_eq!(document["running"]["verdict"], "closed");
    assert_eq!(document["reached"], "standard");
    let processes = document["running"]["processes"].as_array().unwrap();
    let role = |role: &str| processes.iter().find(|process| process["role"] == role);
    let container = role("container").unwrap();
    assert_eq!(container["network_namespace"], "own", "{container:#}");
    assert_eq!(container["sockets"][0]["local"], address, "{container:#}");
    let filters = &document["running"]["copies"]["container"]["filters"];
    assert!(filters.is_u64() && container["filters"] == *filters);
    assert!(role("conmon").is_some(), "{processes:#?}");
    assert!(before.is_ok() && hello(&address).is_ok());
    run.stop().expect(0, &[]);
    std::fs::remove_dir_all(units.directory()).unwrap();
    lab.expect_nothing_left();
}

pub(super) fn a_run_of_an_image_is_verified_by_its_name(lab: &Lab) {
    for (level, asked, verdict) in [
        ("standard", None, "closed"),
        ("families", None, "closed"),
        ("families", Some("--level=standard"), "open"),
    ] {
        let run = lab.run(&[&format!("--level={level}")]);
        hello(&lab.socket()).unwrap();
        let mut words = vec!["verify", "--format=json", "it"];
        words.extend(asked);
        let ended = output(&mut lab.place.command(&words));
        let code = i32::from(verdict != "closed");
        ended.expect(code, &["looking at it.service of the run it"]);
        let document = json(&ended);
        assert_eq!(document["unit"], "it.service");
        assert_eq!(document["verdict"], verdict, "{document:#}");
        assert_eq!(document["reached"], level);
        assert_eq!(document["running"]["verdict"], "closed", "{document:#}");
        hello(&lab.socket()).unwrap();
        run.stop().expect(0, &[]);
        lab.expect_nothing_left();
    }
    let ended = output(&mut lab.place.command(&["verify", "it"]));
    ended.expect(1, &["error: ", "hint: no `podseal run` has it"]);
}

/// What a launcher is told to let be is said in every report.
pub(super) fn what_was_given_up_is_said(lab: &Lab) {
    let launcher = "PODSEAL enter --level=standard --best-effort --allow-udp -- ";
    let units = Units::new(&lab.place, &[("web.service", &service(lab, launcher))]);
    let ended = output(&mut lab.place.command(&verify(&["--format=json"])));
    ended.expect(0, &[]);
    let document = json(&ended);
    let risks = document["residual_risks"].as_array().unwrap();
    for option in ["(--best-effort)", "(--allow-udp)"] {
        let is_said = |risk: &serde_json::Value| risk.as_str().unwrap().contains(option);
        assert!(risks.iter().any(is_said), "{risks:?}");
    }
    std::fs::remove_dir_all(units.directory()).unwrap();
    lab.expect_nothing_left();
}

/// What `--families` lets be is open on purpose, and no level is claimed for it.
pub(super) fn more_families_are_no_level(lab: &Lab) {
    let option = "--families=AF_UNIX AF_INET AF_NETLINK";
    let run = lab.run(&[option]);
    let warning = "warning: it: sockets of AF_INET can be made as well";
    assert!(run.stderr().contains(warning), "{}", run.stderr());
    hello(&lab.socket()).unwrap();
    let ended = output(&mut lab.place.command(&["verify", "--format=json", "it"]));
    ended.expect(0, &[]);
    let document = json(&ended);
    assert_eq!(document["verdict"], "closed", "{document:#}");
    assert!(document["reached"].is_null(), "{document:#}");
    assert_eq!(document["given_up"], serde_json::json!([option]));
    assert_eq!(verdicts(&document, "af-inet"), ["accepted"; 3]);
    assert_eq!(verdicts(&document, "af-inet6"), ["closed"; 3]);
    assert_eq!(verdicts(&document, "turn-outward"), ["closed"; 3]);
    let ended = output(&mut lab.place.command(&["verify", "it"]));
    ended.expect(0, &[]);
    for text in [
        "was seen, but for what was given up on purpose (--families=",
        "; proven: no level\n",
        "; given up on purpose (--families)\n",
        "\n- sockets of AF_INET can be made as well (--families=",
    ] {
        assert!(ended.stdout.contains(text), "no {text:?}: {ended:?}");
    }
    let ended = output(&mut lab.place.command(&["status", "it.service"]));
    for text in ["NOT SEALED", "without families", "[given-up]"] {
        assert!(ended.stdout.contains(text), "no {text:?}: {ended:?}");
    }
    run.stop().expect(0, &[]);
    lab.expect_nothing_left();

    // Of two lists only what both have can be made.
    let launcher = format!("PODSEAL enter '{option}' -- ");
    let units = Units::new(&lab.place, &[("web.service", &service(lab, &launcher))]);
    let ended = output(&mut lab.place.command(&verify(&["--format=json"])));
    ended.expect(0, &[]);
    let document = json(&ended);
    assert_eq!(document["reached"], "standard", "{document:#}");
    assert_eq!(document["given_up"], serde_json::json!([]));
    std::fs::remove_dir_all(units.directory()).unwrap();
    lab.expect_nothing_left();
}
