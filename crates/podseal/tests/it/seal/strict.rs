//! Level strict: the options for the container, and the profile beside the
//! drop-in.

use std::fs;

use serde_json::{Value, json};

use super::{UNITS, drop_in, podseal, show, unit, write};
use crate::account::lacking_here;
use crate::fixture::{Place, files};

fn run(options: &str) -> String {
    let image = format!("x@sha256:{}", "0".repeat(64));
    let recipe = "--network=none --pull=never --no-healthcheck";
    format!("[Service]\nExecStart=/usr/bin/podman run {recipe} {options} {image} $A\n")
}

fn is_here() -> bool {
    let is_here = std::process::Command::new("podman")
        .arg("--version")
        .output()
        .is_ok();
    if !is_here {
        lacking_here("podseal seal --level=strict", "there is no podman");
    }
    is_here
}

/// How a rule of the profile answers a call.
fn errno(profile: &str, call: &str) -> Option<u64> {
    let profile: Value = serde_json::from_str(profile).unwrap();
    let rules = profile["syscalls"].as_array().unwrap().clone();
    let mut rules = rules.iter().filter(|rule| {
        rule["names"]
            .as_array()
            .is_some_and(|names| names.contains(&json!(call)))
    });
    rules.next().unwrap()["errnoRet"].as_u64()
}

#[test]
fn the_container_gets_options_and_a_profile() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    unit(&place, "web.service", &run("-d"));
    let seal = |options: &[&str]| podseal(&place, &[&["seal", "web"], options].concat());
    let directory = place.path(&format!("{UNITS}/web.service.d"));
    let profile = directory.join("50-podseal.seccomp.json");
    let read = |path: &std::path::Path| fs::read_to_string(path).unwrap();

    let ended = seal(&["--level=strict", "--dry-run"]);
    ended.expect(0, &[]);
    for text in [
        "+++ ",
        "50-podseal.seccomp.json",
        "\"names\"",
        "--read-only",
    ] {
        assert!(ended.stdout.contains(text), "{ended:?}");
    }
    assert!(!directory.exists());

    let ended = seal(&["--level=strict"]);
    ended.expect(0, &["sealed web.service at level strict: "]);
    assert!(!ended.stderr.contains("connect(2)"), "{ended:?}");
    assert_eq!(
        files(&directory),
        ["50-podseal.conf", "50-podseal.seccomp.json"]
    );
    let argv = show(&place, "web")["commands"]["ExecStart"][0]["argv"].take();
    let expected = [
        &place.podseal(),
        "enter",
        "--level=strict",
        "--families=AF_UNIX AF_NETLINK",
        "--make-pause",
        "--",
        "/usr/bin/podman",
        "run",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--read-only",
        &format!("--security-opt=seccomp={}", profile.display()),
        "--network=none",
    ];
    assert_eq!(
        argv.as_array().unwrap()[..13],
        expected.map(|word| json!(word))
    );
    assert_eq!(errno(&read(&profile), "connect"), Some(13));
    assert_eq!(errno(&read(&profile), "listen"), Some(0));
    seal(&["--level=strict"]).expect(0, &["is sealed at level strict already"]);
    let ended = podseal(&place, &["check", "web"]);
    assert!(!ended.stdout.contains("seal-stale"), "{ended:?}");

    let ended = seal(&["--level=strict", "--allow-connect"]);
    ended.expect(0, &["connect(2) is allowed in the container"]);
    assert_eq!(errno(&read(&profile), "connect"), None);
    let text = read(drop_in(&place, "web.service").as_ref());
    assert!(
        text.contains("connect(2) allowed in the container, by podseal"),
        "{text}"
    );

    // A profile that was edited is not written over, nor removed.
    let written = read(&profile);
    fs::write(&profile, "{}").unwrap();
    let was_edited = "50-podseal.seccomp.json was edited since podseal wrote it";
    seal(&["--level=strict"]).expect(1, &[was_edited]);
    podseal(&place, &["unseal", "web"]).expect(1, &[was_edited]);
    fs::write(&profile, written).unwrap();

    seal(&[]).expect(0, &["sealed web.service at level standard: "]);
    assert_eq!(files(&directory), ["50-podseal.conf"]);
    // One of somebody else's is no matter of this level's.
    fs::write(&profile, "{}").unwrap();
    seal(&["--level=strict"]).expect(1, &["podseal did not write ", "seccomp.json"]);
    podseal(&place, &["unseal", "web"]).expect(0, &["unsealed web.service"]);
    assert_eq!(files(&directory), ["50-podseal.seccomp.json"]);

    seal(&["--level=strict", "--force"]).expect(0, &["sealed web.service at level strict"]);
    podseal(&place, &["unseal", "web"]).expect(0, &["unsealed web.service"]);
    assert!(!directory.exists());
}

#[test]
fn what_contradicts_it_is_refused() {
    if !is_here() {
        return;
    }
    let place = Place::new();
    for (service, texts) in [
        (
            run("--cap-add=CHOWN"),
            ["not-strict: ", "web.service:2: --cap-add: "],
        ),
        (run("--read-only=false"), ["not-strict: ", "--read-only: "]),
        (
            run("--security-opt seccomp=unconfined"),
            ["not-strict: ", "--security-opt: "],
        ),
        (
            run("").replace("x@sha256:", "podseal-it-none:1 "),
            ["image-not-pinned: ", "name the image as NAME@sha256:DIGEST"],
        ),
    ] {
        unit(&place, "web.service", &service);
        let ended = podseal(&place, &["seal", "--level=strict", "web"]);
        let cannot = "web.service cannot be sealed at level strict";
        ended.expect(1, &[cannot, texts[0], texts[1]]);
        // What the seal brings itself is not asked for.
        assert!(!ended.stderr.contains("families-missing"), "{ended:?}");
        assert!(!place.path(&format!("{UNITS}/web.service.d")).exists());
    }
}

/// Whose user cannot be looked at, or is not here, is sealed at no level.
#[test]
fn a_user_of_each_instance_is_sealed_with_the_instance() {
    let place = Place::new();
    let text = run("").replace("[Service]\n", "[Service]\nUser=%i\nDelegate=yes\n");
    write(&place, "here/web@.service", &text);
    for level in ["--level=standard", "--level=strict"] {
        let seal = |file: &str| podseal(&place, &["seal", "--system", level, file]);
        let texts = [
            "  user-directive: ",
            "User=%i is another user in each instance",
            "podseal seal --system web@INSTANCE.service",
        ];
        seal("here/web@.service").expect(1, &texts);
    }
    if is_here() {
        // Root's own profile would not do.
        write(&place, "here/web@no-such.service", &text);
        let words = [
            "seal",
            "--system",
            "--level=strict",
            "here/web@no-such.service",
        ];
        podseal(&place, &words).expect(1, &["/etc/passwd has no user no-such"]);
    }
    assert_eq!(
        files(&place.path("here")).len(),
        if is_here() { 2 } else { 1 }
    );
}
