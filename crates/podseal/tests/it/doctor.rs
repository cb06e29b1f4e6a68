//! `podseal doctor`: hosts that lack something, played by their parts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::account::{is_root, lacking_here, normal_user};
use crate::container::as_user;
use crate::fixture::{Ended, Place, Running, output, without_landlock};
use crate::schema::Schema;

/// What doctor says as JSON, and how it ended.
struct Said {
    ended: Ended,
    document: Value,
}

/// `podseal doctor --format=json` with more options, in an environment.
fn doctor(place: &Place, options: &[&str], environment: &[(&str, Option<&str>)]) -> Said {
    let mut command = place.command(&["doctor", "--format=json"]);
    command.args(options);
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let ended = output(&mut command);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| {
        panic!("{error}: {ended:?}");
    });
    let schema = Schema::parse(include_str!("../../../../docs/schema/doctor.schema.json"));
    assert_eq!(schema.problem(&document), None);
    assert_eq!(document["version"], 1);
    let said = Said { ended, document };
    let expected = match said.reach(said.document["level"].as_str().unwrap()) {
        "reachable" => 0,
        "not-reachable" => 1,
        _ => 2,
    };
    assert_eq!(said.ended.status.code(), Some(expected), "{:?}", said.ended);
    said
}

impl Said {
    fn row(&self, list: &str, key: &str, name: &str) -> &Value {
        self.document[list]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row[key] == name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.ended))
    }

    fn reach(&self, level: &str) -> &str {
        self.row("levels", "level", level)["reach"]
            .as_str()
            .unwrap()
    }

    fn is_in_the_way(&self, check: &str, level: &str) -> bool {
        let ids = self.row("levels", "level", level)["in_the_way"].as_array();
        ids.unwrap().iter().any(|id| id == check)
    }

    /// Checks how a check came out and what its row says.
    fn expect(&self, check: &str, status: &str, texts: &[&str]) {
        let row = self.row("checks", "id", check);
        assert_eq!(row["status"], status, "{row}");
        for text in texts {
            assert!(row.to_string().contains(text), "no {text:?} in {row}");
        }
    }
}

/// A directory of programs of this test, for PATH.
fn programs(place: &Place, scripts: &[(&str, &str)]) -> String {
    let directory = place.path("programs");
    fs::create_dir(&directory).unwrap();
    for (name, script) in scripts {
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    directory.to_str().unwrap().to_owned()
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn nothing_is_left_and_no_pause_process_is_made() {
    let place = Place::of(normal_user());
    let said = doctor(&place, &[], &[]);
    said.expect("pause-process", "note", &["libpod/tmp/pause.pid"]);
    said.expect("oci-runtime", "unknown", &["podseal pause ensure"]);
    assert_eq!(said.reach("standard"), "unknown");
    assert!(!place.path("libpod").exists(), "Podman was asked");
    place.expect_nothing_left();
}

#[test]
fn people_are_told_the_same() {
    let place = Place::of(normal_user());
    let human = output(&mut place.command(&["doctor"]));
    human.expect(2, &[]);
    for text in [
        "\nrootless\n",
        " note    pause process: ",
        "looked at: Podman's pause.pid",
        "\n > standard  cannot be told, because of: ",
    ] {
        assert!(human.stdout.contains(text), "no {text:?} in {human:?}");
    }
    assert!(!human.stdout.contains('\x1b'), "{human:?}");
    let fix = output(&mut place.command(&["doctor", "--fix"]));
    fix.expect(2, &[]);
    let commands: Vec<&str> = fix.stdout.lines().filter(|l| !l.starts_with('#')).collect();
    assert!(commands.contains(&"podseal pause ensure"), "{fix:?}");
    place.expect_nothing_left();
}

#[test]
fn with_a_pause_process_everything_is_tried() {
    as_user("doctor with a pause process", |lab| {
        output(&mut lab.place.command(&["pause", "ensure"])).expect(0, &[]);
        let said = doctor(&lab.place, &[], &[]);
        said.expect("pause-process", "ok", &["no-new-privileges off"]);
        said.expect("podman-works", "ok", &[]);
        said.expect(
            "storage",
            "note",
            &["vfs", lab.place.path("").to_str().unwrap()],
        );
        assert_eq!(said.reach("families"), "reachable", "{:?}", said.ended);
        assert_eq!(said.reach("standard"), "reachable", "{:?}", said.ended);
        assert!(!lab.place.path("podseal").exists());
    });
}

#[test]
fn a_host_without_programs() {
    let place = Place::new();
    let path = programs(&place, &[]);
    let said = doctor(&place, &["--level=families"], &[("PATH", Some(&path))]);
    said.expect("podman", "problem", &["not in PATH", "install podman"]);
    said.expect("oci-runtime", "problem", &["none in PATH"]);
    said.expect("systemd", "note", &["podseal run"]);
    assert!(said.is_in_the_way("podman", "families"));
    assert_eq!(said.reach("standard"), "not-reachable");
    place.expect_nothing_left();
}

#[test]
fn a_podman_that_does_not_work() {
    let place = Place::new();
    let path = programs(
        &place,
        &[("podman", "echo 'Error: out of order' >&2; exit 125")],
    );
    let path = format!("{path}:{PATH}");
    let said = doctor(&place, &[], &[("PATH", Some(&path))]);
    said.expect("podman", "problem", &["Error: out of order"]);
    assert!(said.is_in_the_way("podman", "standard"));
    assert_eq!(said.reach("families"), "not-reachable");
}

#[test]
fn an_oci_runtime_that_does_not_work_is_said_to_fail() {
    let place = Place::new();
    // Podman's own choice would be looked at as well.
    let scripts = [
        (
            "podman",
            "echo 'podman version 5.4.2'; case $1 in info) exit 1; esac",
        ),
        ("crun", "echo 'recvfrom(PF_NETLINK)' >&2; exit 1"),
        ("systemctl", "echo systemd 257"),
    ];
    let path = programs(&place, &scripts);
    let mut tools = std::path::PathBuf::from(&path);
    // A shell for the scripts.
    tools.push("sh");
    std::os::unix::fs::symlink("/bin/sh", tools).unwrap();
    let said = doctor(&place, &[], &[("PATH", Some(&path))]);
    if is_root() {
        said.expect(
            "oci-runtime",
            "problem",
            &["fails at families, standard", "crun 1.23 or later"],
        );
        assert!(said.is_in_the_way("oci-runtime", "standard"));
    } else {
        said.expect("oci-runtime", "unknown", &["not tried"]);
    }
    said.expect("systemd", "ok", &["version 257"]);
    place.expect_nothing_left();
}

/// A runtime that cannot take the container's profile, or drops it without a
/// word, works at the levels that have none.
#[test]
fn a_runtime_without_seccomp_is_none_for_level_strict() {
    as_user("a runtime without seccomp", |lab| {
        let place = &lab.place;
        output(&mut place.command(&["pause", "ensure"])).expect(0, &[]);
        let choose =
            |level, default: &str| output(&mut place.command(&["choose-runtime", level, default]));
        let chosen = choose("--level=strict", "/nonexistent");
        let chosen: Value = serde_json::from_str(&chosen.stdout).expect("a runtime that works");
        let real = chosen["path"].as_str().unwrap();
        let config = "for word; do case $word in --bundle=*) config=${word#*=}/config.json; esac; done\n\
                      [ -z \"$config\" ] ||";
        let refuses = format!(
            "{config} ! grep -q '\"seccomp\"' \"$config\" || {{ echo 'seccomp: not there' >&2; exit 1; }}\n\
             exec {real} \"$@\""
        );
        let drops = format!(
            "{config} sed -i.whole 's/\"seccomp\":/\"x\":/' \"$config\"\n{real} \"$@\"\nstatus=$?\n\
                     [ -z \"$config\" ] || mv \"$config.whole\" \"$config\"\nexit $status"
        );
        let path = programs(place, &[("crun", &refuses), ("runc", &drops)]);
        let dropped = "it starts the container without its seccomp profile";
        for (name, said) in [("crun", "seccomp: not there"), ("runc", dropped)] {
            let runtime = format!("{path}/{name}");
            choose("--level=standard", &runtime).expect(0, &[]);
            let chosen: Value =
                serde_json::from_str(&choose("--level=strict", &runtime).stdout).unwrap();
            assert_eq!(chosen["failures"][0]["path"], runtime.as_str(), "{chosen}");
            assert_eq!(chosen["failures"][0]["message"], said, "{chosen}");
        }
        let conf = place.path("containers.conf");
        let text = fs::read_to_string(&conf).unwrap();
        fs::write(&conf, format!("{text}runtime = \"{path}/crun\"\n")).unwrap();
        let said = doctor(place, &[], &[("PATH", Some(&format!("{path}:{PATH}")))]);
        let texts = [
            "fails at strict: seccomp: not there",
            dropped,
            "at level strict",
        ];
        said.expect("oci-runtime", "problem", &texts);
        assert_eq!(said.reach("standard"), "reachable", "{:?}", said.ended);
        assert!(said.is_in_the_way("oci-runtime", "strict"));
    });
}

#[test]
fn without_a_run_time_directory_there_is_an_answer() {
    for account in [None, normal_user()] {
        let place = Place::of(account);
        let said = doctor(&place, &[], &[("XDG_RUNTIME_DIR", None)]);
        said.expect("architecture", "ok", &[]);
        place.expect_nothing_left();
    }
}

#[test]
fn a_run_time_directory_that_cannot_be_used_is_no_finding_about_runtimes() {
    if !is_root() {
        return lacking_here("trials of root", "the tests do not run as root");
    }
    let place = Place::new();
    let file = place.text("file");
    fs::write(&file, "").unwrap();
    let said = doctor(&place, &[], &[("XDG_RUNTIME_DIR", Some(&file))]);
    said.expect("oci-runtime", "unknown", &["cannot make"]);
}

/// A pid file is not believed, and what it names is said.
#[test]
fn what_a_wrong_pid_file_names_is_said() {
    let place = Place::of(normal_user());
    let sleep = Running::start(place.program("sleep").arg("1000"));
    let directory = place.path("libpod/tmp");
    let made = place.program("mkdir").arg("-p").arg(&directory).status();
    assert!(made.unwrap().success());
    let living = sleep.id().to_string();
    let foreign = format!("process {living} (sleep), which is no pause process");
    for (pid, text) in [
        (living.as_str(), foreign.as_str()),
        ("999999999", "999999999"),
        ("x", "does not live"),
        ("-1", "does not live"),
        ("", "does not live"),
    ] {
        fs::write(directory.join("pause.pid"), pid).unwrap();
        let said = doctor(&place, &[], &[]);
        said.expect("pause-process", "note", &[text, "podseal pause ensure"]);
        said.expect("podman-works", "unknown", &[]);
        assert_eq!(said.reach("families"), "unknown");
    }
}

#[test]
fn without_landlock_only_the_lower_level_is_left() {
    without_landlock(move || {
        let place = Place::new();
        let said = doctor(&place, &[], &[]);
        said.expect(
            "landlock",
            "problem",
            &["not there", "no TCP connections out", "--level=families"],
        );
        said.expect("own-process", "note", &["no-new-privileges"]);
        assert!(said.is_in_the_way("landlock", "standard"));
        assert!(!said.is_in_the_way("landlock", "families"));
        assert_eq!(said.reach("standard"), "not-reachable");
        assert_ne!(said.reach("families"), "not-reachable", "{:?}", said.ended);
        place.expect_nothing_left();
    });
}

#[test]
fn command_lines_that_say_something_wrong() {
    let place = Place::new();
    for (options, text) in [
        (&["--level=most"][..], "families"),
        (&["--format=xml"], "json"),
        (&["--fix", "--format=json"], "cannot be used with"),
        (&["host"], "unexpected argument"),
    ] {
        let mut command = place.command(&["doctor"]);
        output(command.args(options)).expect(2, &[text]);
    }
}
