//! `podseal seal` of services that are made of `.container` files.

use std::fs;

use super::{UNITS, drop_in, podseal, unit, write};
use crate::fixture::Place;

const CONFIG: &str = "config/containers/systemd";
const WEB: &str = "[Container]\nImage=localhost/web\n[Quadlet]\nDefaultDependencies=false\n";
const CLOSED: &str = "[Container]\nImage=localhost/web\nNetwork=none\nPull=never\n";

#[test]
fn by_the_name_or_path_of_the_file() {
    let place = Place::new();
    write(&place, &format!("{CONFIG}/sub/web.container"), CLOSED);
    let file = place.text(&format!("{CONFIG}/sub/web.container"));
    let path = drop_in(&place, "web.service");
    for argument in ["web.container", file.as_str(), "web"] {
        let ended = podseal(&place, &["seal", argument]);
        ended.expect(
            0,
            &[&format!("sealed web.service at level standard: {path}")],
        );
        podseal(&place, &["unseal", argument]).expect(0, &["unsealed web.service"]);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), CLOSED);

    write(&place, &format!("{CONFIG}/app@.container"), CLOSED);
    let ended = podseal(&place, &["seal", "app@.container"]);
    ended.expect(0, &["sealed app@.service at level standard"]);
}

/// The seal must not go to a service that is made of something else.
#[test]
fn a_file_whose_service_systemd_does_not_have_is_refused() {
    let place = Place::new();
    write(&place, "elsewhere/web.container", CLOSED);
    let ended = podseal(&place, &["seal", "elsewhere/web.container"]);
    let refused = [
        "systemd has no service made of elsewhere/web.container",
        "~/.config/containers/systemd",
    ];
    ended.expect(1, &refused);
    // One of its name, and another file.
    write(&place, &format!("{CONFIG}/web.container"), CLOSED);
    podseal(&place, &["seal", "elsewhere/web.container"]).expect(1, &refused);
    podseal(&place, &["seal", "web.container"]).expect(0, &[]);
    podseal(&place, &["unseal", "web.container"]).expect(0, &[]);
    unit(&place, "web.service", super::RUN);
    podseal(&place, &["seal", "web.container"]).expect(1, &["no service made of web.container"]);
    podseal(&place, &["seal", "none.container"]).expect(1, &["none.container"]);
}

#[test]
fn fix_closes_the_container_by_a_drop_in() {
    let place = Place::new();
    let file = format!("{CONFIG}/web.container");
    write(&place, &file, WEB);
    let ended = podseal(&place, &["seal", "web"]);
    ended.expect(
        1,
        &[
            "  network-not-none: ",
            "  pull-not-never: ",
            "--fix sets this in a drop-in of the .container file",
        ],
    );
    let mended = place.text(&format!("{CONFIG}/web.container.d/50-podseal.conf"));
    let ended = podseal(&place, &["seal", "--fix", "--dry-run", "web"]);
    ended.expect(0, &[]);
    assert!(
        ended.stdout.contains(&format!("+++ {mended}\n")),
        "{ended:?}"
    );
    assert!(
        ended.stdout.contains("\n+Network=none\n+Pull=never"),
        "{ended:?}"
    );
    assert!(!place.path(UNITS).exists());

    let ended = podseal(&place, &["seal", "--fix", "web"]);
    let sealed = drop_in(&place, "web.service");
    ended.expect(0, &[&format!("wrote {mended}"), &sealed]);
    let text = fs::read_to_string(&sealed).unwrap();
    assert!(text.contains(" --network none "), "{text}");
    assert!(text.contains(" --pull never "), "{text}");
    assert_eq!(fs::read_to_string(place.path(&file)).unwrap(), WEB);
    podseal(&place, &["seal", "--fix", "web"]).expect(0, &["sealed at level standard already"]);

    let ended = podseal(&place, &["unseal", "web"]);
    ended.expect(
        0,
        &[&format!("removed {sealed}"), &format!("removed {mended}")],
    );
    assert!(!place.path(&format!("{CONFIG}/web.container.d")).exists());
}

#[test]
fn fix_changes_nothing_where_it_does_not_help() {
    let place = Place::new();
    let file = format!("{CONFIG}/web.container");
    let mended = format!("{CONFIG}/web.container.d/50-podseal.conf");
    // Something else stands against it; the drop-in would not count; it is
    // somebody else's.
    write(&place, &file, &format!("{WEB}[Service]\nOpenFile=/x\n"));
    podseal(&place, &["seal", "--fix", "web"]).expect(1, &["open-file", "network-not-none"]);
    write(&place, &file, WEB);
    let later = format!("{CONFIG}/web.container.d/60.conf");
    write(&place, &later, "[Container]\nNetwork=host\n");
    podseal(&place, &["seal", "--fix", "web"]).expect(1, &["network-not-none"]);
    assert!(!place.path(&mended).exists());
    fs::remove_file(place.path(&later)).unwrap();
    write(&place, &mended, "[Container]\nNetwork=none\n");
    podseal(&place, &["seal", "--fix", "web"]).expect(1, &["podseal did not write"]);
    podseal(&place, &["unseal", "web"]).expect(0, &["has no seal of podseal's"]);
    assert!(place.path(&mended).exists());
    assert!(!place.path(UNITS).exists());
}

#[test]
fn in_other_files_the_words_to_change_are_said() {
    let place = Place::new();
    let text = "[Service]\nExecStart=/usr/bin/podman run --no-healthcheck \\\n  --network host x\n";
    unit(&place, "web.service", text);
    let path = place.text(&format!("{UNITS}/web.service"));
    podseal(&place, &["seal", "--fix", "web"]).expect(
        1,
        &[
            &format!("in {path}:3, replace `--network host` by `--network=none`"),
            &format!("in {path}:2, replace `run` by `run --pull=never`"),
        ],
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn several_are_mended_and_sealed_together_or_not_at_all() {
    let place = Place::new();
    write(&place, &format!("{CONFIG}/web.container"), WEB);
    unit(
        &place,
        "bad.service",
        "[Service]\nExecStart=/usr/bin/podman start x\n",
    );
    podseal(&place, &["seal", "--fix", "web", "bad"])
        .expect(1, &["container-made-elsewhere", "network-not-none"]);
    assert!(!place.path(&format!("{CONFIG}/web.container.d")).exists());
    assert!(!place.path(&format!("{UNITS}/web.service.d")).exists());
}
