//! `.container` files: findings point into what the user wrote.

use std::fs;

use serde_json::Value;

use super::{SOCKET, check, rules, write};
use crate::fixture::Place;

const SEALED: &str = "[Unit]\nRequires=web.socket\nAfter=web.socket\n[Container]\n\
    Image=web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n\
    Network=none\nPull=never\n[Service]\nExecStartPre=+/usr/bin/podseal pause ensure\n\
    RestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes\n\
    SystemCallArchitectures=native\n\
    SystemCallFilter=~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS\n\
    [Quadlet]\nDefaultDependencies=false\n";

fn place(container: &str) -> Place {
    let place = Place::new();
    write(&place, "u/web.container", container);
    write(&place, "u/web.socket", SOCKET);
    place
}

#[test]
fn a_sealed_one_is_clean_however_it_is_named() {
    let place = place(SEALED);
    for argument in ["u/web.container", "u/web.service", "u/web.socket", "u/"] {
        let ended = check(&place, &[argument]);
        ended.expect(0, &[]);
        assert_eq!(
            ended.stdout.trim_end(),
            "nothing found in 2 units",
            "{argument}"
        );
    }
}

#[test]
fn findings_point_into_the_users_file() {
    for (key, rule, line) in [
        ("Network=host", "network-not-none", 6),
        ("Network=web.network", "network-not-none", 6),
        ("PublishPort=80:80", "network-options-with-none", 8),
        ("Pull=always", "pull-not-never", 8),
        ("HealthCmd=/check", "health-check", 8),
        ("AutoUpdate=registry", "auto-update", 8),
        ("EnvironmentHost=true", "environment-host", 8),
        ("PodmanArgs=--privileged", "privileged-container", 8),
        ("PodmanArgs=--preserve-fds=2", "preserve-fds", 8),
        ("GlobalArgs=--remote", "podman-remote", 8),
        ("Volume=/run/user/1000/bus:/bus", "socket-mounted", 8),
        ("Pod=p.pod", "network-not-none", 8),
    ] {
        let text = if key.starts_with("Network=") {
            SEALED.replace("Network=none", key)
        } else {
            SEALED.replace("\n[Service]", &format!("\n{key}\n[Service]"))
        };
        let place = place(&text);
        let ended = check(&place, &["u/web.container", "--format=json"]);
        let document: Value = serde_json::from_str(&ended.stdout).unwrap();
        let mut findings = document["findings"].as_array().unwrap().iter();
        // A pod that is not there has no service made: that is another finding.
        if key.starts_with("Pod=") || key.ends_with(".network") {
            assert_ne!(ended.status.code(), Some(0), "{key}");
            continue;
        }
        let finding = findings.find(|finding| finding["rule"] == rule);
        let finding = finding.unwrap_or_else(|| panic!("{key}: {:?}", rules(&ended)));
        assert_eq!(
            finding["place"]["file"],
            place.text("u/web.container"),
            "{key}"
        );
        assert_eq!(finding["place"]["line"], line, "{key}: {finding}");
    }
}

#[test]
fn what_a_file_lacks_is_found_and_fixed_beside_it() {
    let text =
        "[Container]\nImage=web\nNetwork=none\nPull=never\n[Quadlet]\nDefaultDependencies=false\n";
    let place = place(text);
    let ended = check(&place, &["u/web.container", "--fix", "--format=json"]);
    ended.expect(0, &["web.container.d/90-podseal-check.conf"]);
    assert_eq!(rules(&ended), ["image-not-pinned"]);
    assert_eq!(
        fs::read_to_string(place.path("u/web.container")).unwrap(),
        text
    );
}

#[test]
fn the_wait_for_the_network_is_found() {
    let place = place(&SEALED.replace("DefaultDependencies=false", "DefaultDependencies=true"));
    let ended = check(&place, &["u/web.container", "--format=json"]);
    assert!(
        rules(&ended).contains(&"network-online".to_owned()),
        "{}",
        ended.stdout
    );
}

#[test]
fn files_that_are_not_read_are_not_clean() {
    let place = place(SEALED);
    write(&place, "u/pod.kube", "[Kube]\nYaml=pod.yaml\n");
    check(&place, &["u/"]).expect(2, &["pod.kube"]);
    write(&place, "u/web.container", "[Container]\nNetwork=none\n");
    let ended = check(&place, &["u/web.container", "--format=json"]);
    ended.expect(1, &[]);
    assert!(
        rules(&ended).contains(&"unit-refused".to_owned()),
        "{}",
        ended.stdout
    );
}
