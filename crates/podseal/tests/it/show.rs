//! `podseal show`: unit files in a private search path, and what is said of
//! them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use podseal_core::unit::effective::Scope;
use podseal_runtime::units::Units;
use serde_json::{Value, json};

use crate::account::lacking_here;
use crate::fixture::{Ended, Place, output};
use crate::schema::Schema;

mod quadlet;
mod refused;

/// `podseal show` with nothing of this host's in the search path.
fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.command(&["show"]);
    command
        .args(arguments)
        .env("SYSTEMD_UNIT_PATH", "hi:lo")
        .env("PODSEAL_QUADLET", "")
        .env("XDG_CONFIG_HOME", place.path("config"))
        .env("HOME", place.path("home"));
    command
}

fn write(place: &Place, file: &str, text: &str) {
    let path = place.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn link(place: &Place, file: &str, target: &str) {
    let path = place.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

fn document(ended: &Ended) -> Value {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(schema().problem(&document), None);
    document
}

/// The schema that is published.
fn schema() -> Schema {
    Schema::parse(include_str!("../../../../docs/schema/show.schema.json"))
}

#[test]
fn the_schema_can_fail() {
    let place = Place::new();
    write(&place, "hi/a.service", START);
    let ended = output(&mut command(&place, &["a"]));
    let valid = document(&ended);
    for (pointer, wrong) in [
        ("/units/0/unit", json!(1)),
        ("/units/0/restart_sec", json!("soon")),
        ("/units/0/aliases", json!(null)),
        ("/units/0/families/le_v260/mode", json!("maybe")),
        ("/version", json!("1")),
    ] {
        let mut invalid = valid.clone();
        *invalid.pointer_mut(pointer).unwrap() = wrong;
        assert!(schema().problem(&invalid).is_some(), "{pointer}");
    }
}

/// What is said of one unit, without a word on standard error.
fn show(place: &Place, argument: &str) -> Value {
    let ended = output(&mut command(place, &[argument]));
    ended.expect(0, &[]);
    assert_eq!(ended.stderr, "");
    let unit = document(&ended)["units"][0].take();
    assert_eq!(unit["argument"], argument);
    assert_eq!(unit["version"], 1);
    unit
}

const START: &str = "[Service]\nExecStart=/bin/true\n";

#[test]
fn families_as_old_and_new_systemd_read_them() {
    let place = Place::new();
    let filter = |mode: &str, set: &[&str]| json!({"mode": mode, "set": set});
    let cases = [
        ("", filter("unrestricted", &[]), None),
        (
            "AF_UNIX AF_NETLINK",
            filter("allow", &["AF_NETLINK", "AF_UNIX"]),
            None,
        ),
        ("none", filter("allow", &[]), None),
        (
            "~AF_INET6 AF_INET",
            filter("deny", &["AF_INET", "AF_INET6"]),
            None,
        ),
        (
            "AF_UNIX AF_NONSENSE AF_INET",
            filter("allow", &["AF_INET", "AF_UNIX"]),
            Some(filter("allow", &["AF_UNIX"])),
        ),
    ];
    for (value, le_v260, ge_v261) in cases {
        write(
            &place,
            "hi/a.service",
            &format!("{START}RestrictAddressFamilies={value}\n"),
        );
        let divergent = ge_v261.is_some();
        let expected = json!({
            "ge_v261": ge_v261.unwrap_or_else(|| le_v260.clone()),
            "le_v260": le_v260,
            "divergent": divergent,
        });
        assert_eq!(show(&place, "a")["families"], expected, "{value}");
    }
}

#[test]
fn drop_ins_in_their_order_with_file_and_line() {
    let place = Place::new();
    let set = |value: &str| format!("[Service]\n# why\nEnvironment=A={value}\n");
    write(&place, "lo/web-a.service", START);
    write(&place, "lo/web-a.service.d/20-x.conf", &set("20"));
    write(&place, "hi/web-.service.d/10-x.conf", &set("10"));
    write(&place, "hi/service.d/20-x.conf", &set("hidden"));
    write(&place, "hi/web-a.service.d/30-x.conf", &set("30"));
    write(&place, "lo/web-a.service.d/30-x.conf", &set("hidden"));
    write(&place, "lo/web-a.service.d/40-x.conf", &set("masked"));
    link(&place, "hi/web-a.service.d/40-x.conf", "/dev/null");
    write(&place, "hi/web-a.service.d/50-x.txt", &set("no drop-in"));
    write(&place, "hi/other.service.d/60-x.conf", &set("another's"));
    let unit = show(&place, "web-a.service");
    let dropins = [
        "hi/web-.service.d/10-x.conf",
        "lo/web-a.service.d/20-x.conf",
        "hi/web-a.service.d/30-x.conf",
    ]
    .map(|file| place.text(file));
    assert_eq!(unit["dropins"], json!(dropins));
    assert_eq!(unit["fragment"], place.text("lo/web-a.service"));
    assert_eq!(unit["environment"], json!({"A": "30"}));
    assert_eq!(
        unit["origins"]["Service.Environment"],
        json!(dropins.map(|file| json!({"file": file, "line": 3})))
    );
    // Given as a file, it is alone with what lies beside it.
    let unit = show(&place, "./lo/web-a.service");
    assert_eq!(unit["environment"], json!({"A": "masked"}));
}

#[test]
fn aliases_and_instances() {
    let place = Place::new();
    write(
        &place,
        "lo/t@.service",
        "[Service]\nExecStart=/bin/echo %i %n %t %U\n",
    );
    write(&place, "hi/t@x.service.d/1.conf", "[Service]\nUMask=0\n");
    link(&place, "hi/other@.service", "../lo/t@.service");
    for name in ["t@x", "other@x.service"] {
        let unit = show(&place, name);
        assert_eq!(unit["unit"], "t@x.service");
        assert_eq!(unit["masked"], false);
        assert_eq!(
            unit["dropins"],
            json!([place.text("hi/t@x.service.d/1.conf")])
        );
        let uid = rustix::process::getuid().as_raw().to_string();
        let argv = ["/bin/echo", "x", "t@x.service", &place.text(""), &uid];
        let argv = argv.map(|word| word.trim_end_matches('/'));
        assert_eq!(unit["commands"]["ExecStart"][0]["argv"], json!(argv));
    }
    assert_eq!(
        show(&place, "other@x")["aliases"],
        json!(["other@x.service"])
    );
    // A template's file can be shown as it is.
    assert_eq!(show(&place, "lo/t@.service")["unit"], "t@.service");
}

#[test]
fn masks() {
    let place = Place::new();
    write(&place, "lo/a.service", START);
    link(&place, "hi/a.service", "/dev/null");
    write(&place, "hi/b.socket", "");
    write(&place, "elsewhere/c.service", "");
    link(&place, "hi/c.service", &place.text("elsewhere/c.service"));
    for (name, kind) in [
        ("a.service", "service"),
        ("b.socket", "socket"),
        ("c.service", "service"),
    ] {
        let expected = json!({
            "argument": name,
            "aliases": [],
            "masked": true,
            "version": 1,
            "kind": kind,
            "unit": name,
            "scope": "user",
            "fragment": place.text(&format!("hi/{name}")),
            "loads": false,
        });
        assert_eq!(show(&place, name), expected);
    }
}

#[test]
fn a_socket_and_both_managers() {
    let place = Place::new();
    write(
        &place,
        "hi/a.socket",
        "[Socket]\nListenStream=127.0.0.1:80\n",
    );
    let unit = show(&place, "a.socket");
    assert_eq!(unit["service"], "a.service");
    assert_eq!(unit["listen"][0]["origin"]["line"], 2);
    for (option, scope) in [("--user", "user"), ("--system", "system")] {
        let mut command = command(&place, &[option, "--format=json", "a.socket"]);
        let ended = output(&mut command);
        ended.expect(0, &[]);
        assert_eq!(document(&ended)["units"][0]["scope"], scope);
    }
}

#[test]
fn the_search_path_of_the_user_manager() {
    let place = Place::new();
    write(&place, "config/systemd/user/podseal-it.service", START);
    write(
        &place,
        "systemd/transient/podseal-it.service.d/1.conf",
        "[Service]\nRestart=always\n",
    );
    let mut command = command(&place, &["podseal-it"]);
    let ended = output(command.env_remove("SYSTEMD_UNIT_PATH"));
    ended.expect(0, &[]);
    let document = document(&ended);
    assert_eq!(document["units"][0]["restart"], "always");
}

/// Against the systemd of this host, in the environment of the tests.
#[test]
fn the_same_directories_as_systemd() {
    for (option, scope) in [("--user", Scope::User), ("--system", Scope::System)] {
        let mut analyze = Command::new("systemd-analyze");
        let Ok(systemd) = analyze.args([option, "unit-paths"]).output() else {
            return lacking_here("comparing search paths", "there is no systemd-analyze");
        };
        assert!(systemd.status.success(), "{systemd:?}");
        let theirs = String::from_utf8(systemd.stdout).unwrap();
        let units = Units::of(scope);
        // What podseal knows without being told, and the name of a directory
        // that is looked into under its other name as well.
        let lacks_runtime = std::env::var_os("XDG_RUNTIME_DIR").is_none();
        let compared = |path: &&str| {
            *path != "/lib/systemd/system" && !(lacks_runtime && path.starts_with("/run/user/"))
        };
        let theirs: Vec<&str> = theirs.lines().filter(compared).collect();
        let ours = units.search_path().iter().map(String::as_str);
        assert_eq!(ours.filter(compared).collect::<Vec<_>>(), theirs);
    }
}

#[test]
fn what_systemd_refuses_is_shown_and_said() {
    let place = Place::new();
    write(
        &place,
        "hi/a.service",
        "[Service]\nExecStart=relative/path\n",
    );
    fs::write(place.path("hi/b.service"), b"[Service]\nA=\xff\n").unwrap();
    for (name, line, text) in [("a", 2, "relative/path"), ("b", 2, "not UTF-8")] {
        let ended = output(&mut command(&place, &[name]));
        let origin = format!(
            "warning: {}:{line}: ",
            place.text(&format!("hi/{name}.service"))
        );
        ended.expect(0, &[&origin, text, "systemd does not load"]);
        assert_eq!(document(&ended)["units"][0]["loads"], false);
    }
}

/// What `systemd --test` of 257 and 262 has of the same files.
#[test]
fn links_that_are_dependencies() {
    let place = Place::new();
    for unit in ["a", "b", "c", "d", "e", "t@"] {
        write(&place, &format!("lo/{unit}.service"), START);
    }
    link(&place, "lo/al.service", "a.service");
    let wants = |name: &str| format!("lo/a.service.wants/{name}.service");
    link(&place, &wants("b"), "../b.service");
    link(&place, "hi/a.service.wants/b.service", "/dev/null");
    link(&place, &wants("dangling"), "/nonexistent/c.service");
    // Its own name is what counts.
    link(&place, &wants("e"), "../d.service");
    link(&place, &wants("t@"), "../t@.service");
    link(&place, "hi/al.service.wants/c.service", "../c.service");
    write(&place, &wants("no-link"), START);
    write(&place, &wants("empty"), "");
    link(&place, &wants("a"), "../a.service");
    link(&place, "lo/service.requires/d.service", "../d.service");

    let ended = output(&mut command(&place, &["al.service"]));
    let unit = &document(&ended)["units"][0];
    let found = |key: &str| -> Vec<Value> {
        let dependencies = unit["dependencies"][key].as_array().unwrap().iter();
        let links = dependencies.filter(|dependency| !dependency["link"].is_null());
        links.cloned().collect()
    };
    let expected =
        |unit: &str, path: &str| json!({"unit": unit, "origin": null, "link": place.path(path)});
    assert_eq!(
        found("Wants"),
        [
            expected("c.service", "hi/al.service.wants/c.service"),
            expected("dangling.service", &wants("dangling")),
            expected("e.service", &wants("e")),
            expected("t@a.service", &wants("t@")),
        ]
    );
    assert_eq!(
        found("Requires"),
        [expected("d.service", "lo/service.requires/d.service")]
    );
}

#[test]
fn keys_that_systemd_does_not_know() {
    let place = Place::new();
    let text = format!("{START}RestrictAddressFamily=AF_UNIX\nX-Mine=1\n");
    write(&place, "hi/a.service", &text);
    let ended = output(&mut command(&place, &["a"]));
    let unit = &document(&ended)["units"][0];
    assert_eq!(unit["loads"], true);
    let diagnostics = unit["diagnostics"].as_array().unwrap();
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    assert_eq!(diagnostics[0]["effect"], "ignored");
    assert_eq!(
        diagnostics[0]["message"],
        "unknown key \"RestrictAddressFamily\" in section [Service]"
    );
}
