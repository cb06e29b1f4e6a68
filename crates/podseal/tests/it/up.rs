//! `podseal up` and `podseal down`: the files, and what they add up to. What
//! happens when something fails is in [`failing`], when podseal is killed in
//! [`killed`]. Podman is played: nothing here is started.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::account::lacking_here;
use crate::fixture::{Ended, Place, output};

mod failing;
mod killed;

/// Units of the user.
const UNITS: &str = "config/systemd/user";
/// Quadlet's files of the user.
const QUADLET: &str = "config/containers/systemd";

/// `podseal up` of a service that no manager is told of.
const UP: &[&str] = &[
    "up",
    "web",
    "--image=localhost/web",
    "--runtime=/bin/true",
    "--no-start",
];
const LISTEN: &str = "--listen=127.0.0.1:3000";

/// A place with a Podman of its own.
fn place() -> Place {
    let place = Place::new();
    program(
        &place,
        "podman",
        "case \"$*\" in\n\
         info*SECCOMPProfilePath*) echo /usr/share/containers/seccomp.json;;\n\
         info*) printf '5.4.2\\n/usr/bin/crun\\n';;\n\
         'image exists -- missing') exit 1;;\n\
         'image inspect '*without-digest) echo;;\n\
         'image inspect '*) printf 'sha256:%064d\\n' 7;;\n\
         esac",
    );
    place
}

/// Writes a program that is found before others.
fn program(place: &Place, name: &str, script: &str) {
    write(
        place,
        &format!("bin/{name}"),
        &format!("#!/bin/sh\n{script}\n"),
    );
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path(&format!("bin/{name}")), mode).unwrap();
}

fn write(place: &Place, file: &str, text: &str) {
    let path = place.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Gives a program the environment of the place's user.
fn user<'a>(place: &Place, command: &'a mut Command) -> &'a mut Command {
    command
        .env("XDG_CONFIG_HOME", place.path("config"))
        .env("XDG_DATA_HOME", place.path("data"))
        .env("HOME", place.path("home"))
        .env("PATH", format!("{}:/usr/bin:/bin", place.text("bin")))
        .env("PODSEAL_QUADLET", "")
        .env_remove("SYSTEMD_UNIT_PATH")
        .env_remove("QUADLET_UNIT_DIRS")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
}

fn podseal(place: &Place, arguments: &[&str]) -> Ended {
    output(user(place, &mut place.command(arguments)))
}

/// `podseal up` with more arguments.
fn up(place: &Place, arguments: &[&str]) -> Ended {
    podseal(place, &[UP, arguments].concat())
}

/// All names below the user's configuration, and what is in the files, with
/// another path for the place.
fn tree(place: &Place) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut directories = vec![place.path("config")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            let text = if path.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else if path.is_dir() {
                directories.push(path);
                continue;
            } else {
                fs::read_to_string(&path).unwrap()
            };
            let name = path.strip_prefix(place.path("config")).unwrap();
            let text = text.replace(&place.text("config"), "/config");
            found.push((name.display().to_string(), text));
        }
    }
    found.sort();
    found
}

fn names(place: &Place) -> Vec<String> {
    tree(place).into_iter().map(|(name, _)| name).collect()
}

fn show(place: &Place, argument: &str) -> Value {
    let ended = podseal(place, &["show", argument]);
    ended.expect(0, &[]);
    let mut document: Value = serde_json::from_str(&ended.stdout).unwrap();
    document["units"][0].take()
}

const SERVICE_FILES: [&str; 4] = [
    "systemd/user/sockets.target.wants/web.socket",
    "systemd/user/web.service",
    "systemd/user/web.service.d/50-podseal.conf",
    "systemd/user/web.socket",
];
const QUADLET_FILES: [&str; 4] = [
    "containers/systemd/web.container",
    "systemd/user/sockets.target.wants/web.socket",
    "systemd/user/web.service.d/50-podseal.conf",
    "systemd/user/web.socket",
];

#[test]
fn both_forms_are_written_sealed_and_removed() {
    for (form, files) in [("service", SERVICE_FILES), ("quadlet", QUADLET_FILES)] {
        let place = place();
        let form = format!("--form={form}");
        let arguments = [&form, LISTEN, "--env=A=b c", "--", "echo", "100% $HOME"];
        let ended = up(&place, &arguments);
        ended.expect(
            0,
            &[
                "listening on 127.0.0.1:3000",
                "sealed at level standard",
                "systemctl --user start web.socket",
            ],
        );
        assert_eq!(ended.stdout, "");
        assert_eq!(names(&place), files);
        for file in files {
            let path = place.text(&format!("config/{file}"));
            assert!(
                ended.stderr.contains(&format!("wrote {path}\n")),
                "{ended:?}"
            );
        }

        let unit = show(&place, "web");
        assert_eq!(unit["loads"], true);
        assert_eq!(unit["no_new_privileges"], true);
        let argv = unit["commands"]["ExecStart"][0]["argv"].as_array().unwrap();
        assert_eq!(argv[..2], [json!(place.podseal()), json!("enter")]);
        let end = [json!("localhost/web"), json!("echo"), json!("100% $$HOME")];
        assert_eq!(argv[argv.len() - 3..], end);
        for word in ["--runtime=/bin/true", "--no-healthcheck"] {
            assert!(argv.contains(&json!(word)), "{argv:?}");
        }
        let socket = show(&place, "web.socket");
        assert_eq!(socket["listen"][0]["address"], "127.0.0.1:3000");

        let ended = podseal(&place, &["check", "--format=json", "web"]);
        ended.expect(0, &[]);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let rules: Vec<&Value> = findings.iter().map(|finding| &finding["rule"]).collect();
        assert_eq!(rules, ["image-not-pinned"]);

        let before = tree(&place);
        up(&place, &arguments).expect(0, &["web is unchanged"]);
        // As it was, whatever would be written for a new one.
        up(&place, &arguments[1..]).expect(0, &["web is unchanged"]);
        assert_eq!(tree(&place), before);
        let other = if form == "--form=service" {
            "quadlet"
        } else {
            "service"
        };
        let other = format!("--form={other}");
        up(&place, &[&other, LISTEN]).expect(1, &["is of the other form", "podseal down web"]);
        assert_eq!(tree(&place), before);

        podseal(&place, &["down", "web.service"]).expect(0, &["removed ", "daemon-reload"]);
        assert_eq!(tree(&place), []);
        assert!(!place.path(&format!("{UNITS}/web.service.d")).exists());
        podseal(&place, &["down", "web"])
            .expect(1, &["there is no service web that podseal made", "hint: "]);
    }
}

#[test]
fn a_service_is_changed_by_other_arguments() {
    let place = place();
    up(&place, &[LISTEN, "--fdname=http"]).expect(0, &[]);
    let more = [
        LISTEN,
        "--listen=/run/x.sock",
        "--fdname=http",
        "--fdname=local",
    ];
    let ended = up(&place, &[&more[..], &["--level=families"]].concat());
    ended.expect(0, &["changed ", "wrote ", "sealed at level families"]);
    assert!(!ended.stderr.contains("web.socket\n") || ended.stderr.contains("web-local.socket\n"));
    let socket = fs::read_to_string(place.path(&format!("{UNITS}/web-local.socket"))).unwrap();
    assert!(socket.contains("\nFileDescriptorName=local\nRemoveOnStop=yes\nService=web.service\n"));
    assert!(
        place
            .path(&format!("{UNITS}/sockets.target.wants/web-local.socket"))
            .is_symlink()
    );
    let unit = show(&place, "web");
    let required = unit["dependencies"]["Requires"].to_string();
    assert!(required.contains("web-local.socket"), "{unit}");

    up(&place, &[LISTEN, "--fdname=http"]).expect(0, &["removed ", "web-local.socket"]);
    assert_eq!(names(&place), SERVICE_FILES);
    let count = up(&place, &[LISTEN, "--fdname=a", "--fdname=b"]);
    count.expect(2, &["2 names for 1 sockets"]);
}

#[test]
fn a_dry_run_prints_a_diff_and_changes_nothing() {
    let place = place();
    let ended = up(&place, &[LISTEN, "--dry-run"]);
    ended.expect(0, &[]);
    let path = place.text(&format!("{UNITS}/web.socket"));
    for text in [
        &format!("--- /dev/null\n+++ {path}\n"),
        "\n+ListenStream=127.0.0.1:3000\n",
        "\n+NoNewPrivileges=yes\n",
        &format!("\n+-> {path}"),
    ] {
        assert!(ended.stdout.contains(text), "no {text:?}: {}", ended.stdout);
    }
    assert_eq!(tree(&place), []);
    up(&place, &[LISTEN]).expect(0, &[]);
    let before = tree(&place);
    up(&place, &[LISTEN, "--dry-run"]).expect(0, &["web is unchanged"]);
    let ended = up(&place, &["--listen=127.0.0.1:3001", "--dry-run"]);
    assert!(
        ended.stdout.contains("\n-ListenStream=127.0.0.1:3000\n"),
        "{ended:?}"
    );
    let ended = podseal(&place, &["down", "web", "--dry-run"]);
    ended.expect(0, &[]);
    assert!(
        ended.stdout.contains("\n-ListenStream=127.0.0.1:3000\n"),
        "{ended:?}"
    );
    assert_eq!(tree(&place), before);
}

#[test]
fn images_and_mounts() {
    let place = place();
    let missing = ["up", "web", "--image=missing", "--no-start", LISTEN];
    podseal(&place, &missing).expect(1, &["the image missing", "hint: podman pull missing"]);
    up(&place, &[LISTEN, "--volume=./none:/x"]).expect(1, &["there is no ./none to mount"]);
    assert_eq!(tree(&place), []);
    fs::create_dir(place.path("here")).unwrap();
    let options = ["--digest", "--volume=./here:/x:ro", "--volume=data:/y"];
    up(&place, &[&[LISTEN], &options[..]].concat()).expect(0, &[]);
    let text = fs::read_to_string(place.path(&format!("{UNITS}/web.service"))).unwrap();
    let here = fs::canonicalize(place.path("here")).unwrap();
    let here = format!("--volume={}:/x:ro ", here.display());
    let pinned = format!("\tlocalhost/web@sha256:{:064}\n", 7);
    for text_of in [&here, "--volume=data:/y ", &pinned] {
        assert!(text.contains(text_of), "no {text_of:?} in {text}");
    }
    let local = [
        "up",
        "x",
        "--image=without-digest",
        "--digest",
        "--no-start",
        LISTEN,
    ];
    podseal(&place, &local).expect(1, &["no digest of the image without-digest"]);
}

#[test]
fn files_of_others_stay() {
    let others = [
        (format!("{UNITS}/web.service"), "podseal did not write"),
        (format!("{UNITS}/web.socket"), "podseal did not write"),
        (
            format!("{UNITS}/web.service.d/50-podseal.conf"),
            "podseal did not write",
        ),
        (format!("{QUADLET}/web.container"), "podseal did not write"),
        (
            "data/systemd/user/web.service".into(),
            "there is a unit web.service already: ",
        ),
        (
            "data/systemd/user/web.socket".into(),
            "there is a unit web.socket already: ",
        ),
        (
            format!("{QUADLET}/sub/web.container"),
            "there is a unit web.service already: ",
        ),
    ];
    for (file, message) in others {
        let place = place();
        write(
            &place,
            &file,
            "[Service]\nExecStart=/bin/true\n[Socket]\nListenStream=1\n",
        );
        let before = tree(&place);
        for form in ["service", "quadlet"] {
            // A file of the form that is not written is a unit elsewhere.
            let ended = up(&place, &[LISTEN, &format!("--form={form}")]);
            ended.expect(1, &["hint: "]);
            let is_told = ended.stderr.contains(message) || ended.stderr.contains("already: ");
            assert!(is_told, "{file}: {ended:?}");
        }
        assert_eq!(tree(&place), before, "{file}");
        let ended = podseal(&place, &["down", "web"]);
        ended.expect(1, &["error: "]);
        assert_eq!(tree(&place), before, "{file}");
    }
    // Not even a link to a file elsewhere.
    let place = place();
    fs::create_dir_all(place.path(UNITS)).unwrap();
    symlink("/dev/null", place.path(&format!("{UNITS}/web.service"))).unwrap();
    up(&place, &[LISTEN]).expect(1, &["hint: "]);
    // Nor a link to another's socket.
    let place = self::place();
    let link = place.path(&format!("{UNITS}/sockets.target.wants/web.socket"));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink("/usr/lib/systemd/user/web.socket", &link).unwrap();
    podseal(&place, &["down", "web"]).expect(1, &["there is no service web"]);
    assert!(link.is_symlink());
    // One service's socket is not another's.
    let place = self::place();
    up(&place, &[LISTEN, "--listen=/x", "--fdname=a", "--fdname=b"]).expect(0, &[]);
    let other = [
        "up",
        "web-b",
        "--image=x",
        "--runtime=/bin/true",
        "--no-start",
        LISTEN,
    ];
    podseal(&place, &other).expect(1, &["web-b.socket belongs to the service web"]);
}

#[test]
fn edited_files_stay_and_are_named() {
    let place = place();
    up(&place, &[LISTEN]).expect(0, &[]);
    let service = place.path(&format!("{UNITS}/web.service"));
    let edited = fs::read_to_string(&service).unwrap().replace("5s", "6s");
    fs::write(&service, &edited).unwrap();
    let before = tree(&place);
    up(&place, &[LISTEN]).expect(1, &["web.service was edited since podseal wrote it"]);
    assert_eq!(tree(&place), before);

    let ended = podseal(&place, &["down", "web"]);
    ended.expect(
        1,
        &[
            "error: not all of web was removed",
            &format!("  {}: it was edited", service.display()),
            "50-podseal.conf: it seals the service, which stays",
            "--force",
        ],
    );
    // What stays is still sealed.
    assert_eq!(names(&place), SERVICE_FILES[1..3]);
    up(&place, &[LISTEN, "--force"]).expect(0, &["changed ", "wrote "]);
    assert_eq!(names(&place), SERVICE_FILES);

    fs::write(&service, &edited).unwrap();
    podseal(&place, &["down", "web", "--force"]).expect(0, &["removed "]);
    assert_eq!(tree(&place), []);
}

#[test]
fn an_edited_profile_stays_and_is_named() {
    if !Path::new("/usr/share/containers/seccomp.json").exists() {
        return lacking_here("podseal up --level=strict", "Podman's profile is not there");
    }
    let place = place();
    let strict = [LISTEN, "--level=strict", "--digest"];
    let drop_in = |name: &str| place.path(&format!("{UNITS}/web.service.d/{name}"));
    let change = |name: &str| {
        let text = fs::read_to_string(drop_in(name)).unwrap();
        fs::write(drop_in(name), format!("{text}\n")).unwrap();
    };
    let profile = "50-podseal.seccomp.json";
    up(&place, &strict).expect(0, &[]);
    change(profile);
    podseal(&place, &["down", "web"]).expect(1, &[&format!("{profile}: it was edited")]);
    assert_eq!(
        names(&place),
        [format!("systemd/user/web.service.d/{profile}")]
    );
    fs::remove_file(drop_in(profile)).unwrap();

    for edited in [profile, "50-podseal.conf"] {
        up(&place, &strict).expect(0, &[]);
        change(edited);
        podseal(&place, &["down", "web", "--force"]).expect(0, &["removed "]);
        assert_eq!(tree(&place), [], "{edited}");
    }
}

#[test]
fn what_cannot_be_sealed_or_written_is_refused() {
    let place = place();
    for (arguments, code, text) in [
        (
            &["--listen=udp:127.0.0.1:1"][..],
            1,
            "  socket-not-sealable: ",
        ),
        (&[LISTEN, "--volume=/:/host"], 1, "cannot be sealed"),
        (&[LISTEN, "--volume=/x\n:/y"], 1, "to mount"),
        (
            &[LISTEN, "--description=a\nb"],
            1,
            "cannot be written in a unit file",
        ),
        (&[LISTEN, "--env=A"], 2, "a variable is NAME=VALUE"),
        (
            &[LISTEN, "--runtime=/none"],
            2,
            "cannot be used multiple times",
        ),
        (&[], 2, "--listen"),
        (&["--listen=127.0.0.1"], 2, "--listen"),
    ] {
        let ended = up(&place, arguments);
        if text == "cannot be sealed" && ended.status.code() == Some(0) {
            // A mount of everything is no way out by itself.
            podseal(&place, &["down", "web"]).expect(0, &[]);
            continue;
        }
        ended.expect(code, &[text]);
        assert_eq!(tree(&place), [], "{arguments:?}");
    }
    // By a drop-in that was there before.
    write(
        &place,
        &format!("{UNITS}/web.service.d/60-x.conf"),
        "[Service]\nRestrictAddressFamilies=AF_INET\n",
    );
    up(&place, &[LISTEN]).expect(1, &["seal-undone: ", "60-x.conf:2: "]);
    assert_eq!(names(&place), ["systemd/user/web.service.d/60-x.conf"]);
}
