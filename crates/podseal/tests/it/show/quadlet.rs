//! `.container` files: where they are found, and what they are shown as.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{command, document, link, show, write};
use crate::account::normal_user;
use crate::fixture::{Place, output};

const CONFIG: &str = "config/containers/systemd";
const WEB: &str = "[Container]\nImage=localhost/web\nNetwork=none\n";

fn argv(unit: &Value) -> Vec<&str> {
    let words = unit["commands"]["ExecStart"][0]["argv"].as_array();
    words.unwrap().iter().map(|w| w.as_str().unwrap()).collect()
}

fn messages(unit: &Value) -> String {
    unit["diagnostics"].to_string()
}

#[test]
fn by_every_name_that_a_user_would_type() {
    let place = Place::new();
    let file = format!("{CONFIG}/sub/web.container");
    write(&place, &file, WEB);
    write(
        &place,
        &format!("{CONFIG}/web.container.d/1.conf"),
        "[Container]\nEnvironment=A=1\n",
    );
    write(
        &place,
        "hi/web.service.d/9.conf",
        "[Service]\nNoNewPrivileges=yes\n",
    );
    for name in ["web", "web.service", "web.container"] {
        let unit = show(&place, name);
        assert_eq!(unit["unit"], "web.service");
        assert_eq!(unit["loads"], true);
        assert_eq!(unit["no_new_privileges"], true);
        assert_eq!(unit["fragment"], place.text(&file));
        assert_eq!(
            unit["dropins"],
            json!([place.text("hi/web.service.d/9.conf")])
        );
        assert_eq!(unit["quadlet"]["source"], place.text(&file));
        assert_eq!(unit["quadlet"]["from"], "podseal");
        assert_eq!(unit["quadlet"]["generator"], Value::Null);
        let network = json!({
            "words": ["--network", "none"],
            "origin": {"file": place.text(&file), "line": 3},
        });
        let podman = unit["quadlet"]["podman"].as_array().unwrap();
        assert!(podman.contains(&network), "{podman:?}");
        assert!(argv(&unit).contains(&"A=1"));
        assert_eq!(unit["commands"]["ExecStart"][0]["origin"]["line"], 2);
    }
    // Given as a file, it is alone with what lies beside it.
    let unit = show(&place, &format!("{CONFIG}/sub/web.container"));
    assert_eq!(unit["dropins"], json!([]));
    assert!(!argv(&unit).contains(&"A=1"));
}

#[test]
fn what_hides_what() {
    let place = Place::new();
    write(&place, &format!("{CONFIG}/web.container"), WEB);
    write(
        &place,
        "systemd/generator/web.service",
        "[Service]\nExecStart=/old\n",
    );
    write(
        &place,
        "config/lo/web.service",
        "[Service]\nExecStart=/weaker\n",
    );
    // The generator would write its output anew.
    let path = place.text("hi") + ":" + &place.text("systemd/generator") + ":config/lo";
    let shown = |name: &str| {
        let mut command = command(&place, &[name]);
        let ended = output(command.env("SYSTEMD_UNIT_PATH", &path));
        ended.expect(0, &[]);
        document(&ended)["units"][0].take()
    };
    assert_eq!(argv(&shown("web"))[0], "/usr/bin/podman");
    write(&place, "hi/web.service", "[Service]\nExecStart=/stronger\n");
    assert_eq!(argv(&shown("web"))[0], "/stronger");
    let unit = shown("web.container");
    assert_eq!(argv(&unit)[0], "/usr/bin/podman");
    assert!(messages(&unit).contains("hi/web.service in place of"));
}

#[test]
fn other_names_and_instances() {
    let place = Place::new();
    write(
        &place,
        &format!("{CONFIG}/a.container"),
        "[Container]\nImage=localhost/a\nServiceName=other\n[Install]\nAlias=alias.service\n",
    );
    write(
        &place,
        &format!("{CONFIG}/t@.container"),
        "[Container]\nImage=localhost/t\nExec=%i\n",
    );
    link(
        &place,
        &format!("{CONFIG}/t@linked.container"),
        "t@.container",
    );
    for name in ["other", "alias", "a.container"] {
        let unit = show(&place, name);
        assert_eq!(unit["unit"], "other.service");
        assert!(argv(&unit).contains(&"systemd-other"), "{unit}");
    }
    for (name, instance) in [("t@x", "x"), ("t@linked", "linked")] {
        let unit = show(&place, name);
        assert_eq!(unit["unit"], format!("{name}.service"));
        assert_eq!(argv(&unit).last(), Some(&instance));
        let container = format!("systemd-t_{instance}");
        assert!(argv(&unit).contains(&container.as_str()));
    }
}

#[test]
fn what_the_generator_refuses_is_shown_and_said() {
    let place = Place::new();
    for (name, text, line, message) in [
        (
            "key",
            "[Container]\nImage=x\nWhat=1\n",
            3,
            "unsupported key 'What'",
        ),
        ("image", "\n[Container]\n", 2, "no Image or Rootfs"),
        (
            "line",
            "[Container]\nImage=x\nfoo\n",
            3,
            "\"foo\" is neither",
        ),
        ("bytes", "[Container]\nImage=x\n", 1, "not UTF-8"),
    ] {
        let file = format!("{name}/{name}.container");
        write(&place, &file, text);
        if name == "bytes" {
            fs::write(place.path(&file), b"[Container\xff]\n").unwrap();
        }
        let ended = output(&mut command(&place, &[&format!("./{file}")]));
        let origin = format!("warning: {}:{line}: ", place.text(&file));
        ended.expect(0, &[&origin, message, "systemd does not load"]);
        assert_eq!(document(&ended)["units"][0]["loads"], false);
    }
    // One file that it cannot parse hides all others of the directory.
    write(&place, "line/good.container", WEB);
    let ended = output(&mut command(&place, &["line/good.container"]));
    ended.expect(0, &["line.container:3: ", "the generator reads nothing of"]);
    // A drop-in that it cannot parse is passed over.
    write(&place, "drop/a.container", WEB);
    write(&place, "drop/a.container.d/1.conf", "[Container]\nfoo\n");
    let unit = show(&place, "drop/a.container");
    assert_eq!(unit["loads"], true);
    assert!(messages(&unit).contains("the drop-in is passed over"));
}

#[test]
fn bad_input() {
    let place = Place::new();
    fs::create_dir_all(place.path("q/directory.container")).unwrap();
    link(&place, "q/loop.container", "loop.container");
    link(&place, "q/dead.container", "/nonexistent");
    link(&place, "q/device.container", "/dev/zero");
    fs::write(place.path("q/binary.container"), b"[Container]\n\0\xff\0").unwrap();
    let large = fs::File::create(place.path("q/large.container")).unwrap();
    large.set_len(100 << 20).unwrap();
    for (name, text) in [
        ("none", "there is no file q/none.container"),
        ("directory", "q/directory.container is a directory"),
        ("loop", "q/loop.container is a link to loop.container"),
        ("dead", "q/dead.container is a link to /nonexistent"),
        ("device", "q/device.container is not a regular file"),
        ("binary", "q/binary.container:2: "),
        ("large", "q/large.container is larger than 16 MiB"),
    ] {
        let argument = format!("q/{name}.container");
        let ended = output(&mut command(&place, &[&argument]));
        ended.expect(1, &["error: ", text, "hint: "]);
        assert_eq!(ended.stdout, "", "{argument}");
    }
    write(&place, "q/bad name.container", WEB);
    let ended = output(&mut command(&place, &["q/bad name.container"]));
    ended.expect(1, &["\"bad name.service\" names no unit"]);
}

#[test]
fn files_that_may_not_be_read() {
    let place = Place::of(normal_user());
    write(&place, "q/a.container", WEB);
    let mode = fs::Permissions::from_mode(0o000);
    fs::set_permissions(place.path("q/a.container"), mode).unwrap();
    let ended = output(&mut command(&place, &["q/a.container"]));
    ended.expect(1, &["cannot read", "q/a.container: Permission denied"]);
}

/// A generator that prints `text`, as a program.
fn generator(place: &Place, text: &str, status: u8) -> String {
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = -version ]; then echo 5.8.6; exit; fi\ncat <<'END'\n{text}\nEND\necho 'quadlet-generator[1]: converting \"b.container\": no reason' >&2\nexit {status}\n"
    );
    write(place, "generator", &script);
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path("generator"), mode).unwrap();
    place.text("generator")
}

#[test]
fn the_generator_has_the_last_word() {
    let place = Place::new();
    write(&place, "q/a.container", WEB);
    write(&place, "q/b.container", WEB);
    write(&place, "q/c.container", WEB);
    let asked = |name: &str, generator: &str| {
        let mut command = command(&place, &[name]);
        let ended = output(command.env("PODSEAL_QUADLET", generator));
        ended.expect(0, &[]);
        document(&ended)["units"][0].take()
    };
    let text = "---a.service---\n[Service]\nExecStart=/usr/bin/podman run --network host x\n";
    let program = generator(&place, text, 1);
    let unit = asked("q/a.container", &program);
    assert_eq!(unit["quadlet"]["from"], "generator");
    assert_eq!(unit["quadlet"]["generator"], program);
    assert!(argv(&unit).contains(&"host"));
    assert!(messages(&unit).contains("another Podman command than podseal would"));
    let unit = asked("q/b.container", &program);
    assert_eq!(unit["loads"], false);
    assert!(messages(&unit).contains("no reason"));
    let unit = asked("q/c.container", &program);
    assert_eq!(unit["loads"], false);
    assert!(messages(&unit).contains("does not say why"));
    let unit = asked("q/c.container", "/nonexistent");
    assert_eq!(unit["quadlet"]["from"], "podseal");
    assert!(messages(&unit).contains("did not answer"));
}

/// With the generator that PODSEAL_TEST_QUADLET names, such as that of another
/// release.
#[test]
#[ignore = "needs Podman's generator"]
fn as_the_generator_of_podman() {
    let program = std::env::var("PODSEAL_TEST_QUADLET").unwrap();
    let units = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../podseal-core/tests/quadlet/units"
    );
    let place = Place::new();
    let listing = fs::read_dir(units).unwrap();
    let paths = listing.map(|entry| entry.unwrap().path());
    let containers: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "container"))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    assert!(containers.len() >= 40);
    let arguments: Vec<&str> = containers.iter().map(String::as_str).collect();
    let mut command = command(&place, &arguments);
    let ended = output(command.env("PODSEAL_QUADLET", &program));
    ended.expect(0, &[]);
    for unit in document(&ended)["units"].as_array().unwrap() {
        let said = messages(unit);
        assert!(!said.contains(&program), "{}: {said}", unit["argument"]);
    }
}
