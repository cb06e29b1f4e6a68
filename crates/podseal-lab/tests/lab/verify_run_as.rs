//! `podseal verify` of a service of the system's manager whose Podman is another
//! user's.

use crate::machine::{Ended, Machine};
use crate::verify::row;
use crate::web::{Web, expect};

/// What a copy could have left, on the system and with the user.
const LEFT: &str = "systemctl list-units --all --plain --no-legend 'podseal-verify-*'; \
    ls /run/systemd/system /run /var/lib | grep podseal; \
    ls /run/podseal 2>&1 | grep verify; \
    ls /run/user/$(id -u web) | grep podseal; \
    as_web podman ps --all --quiet --filter name=podseal-verify; true";

fn verify(web: &Web<'_>, arguments: &str) -> Ended {
    web.root(&format!("exec podseal verify --system run-as {arguments}"))
}

fn expect_nothing_left(web: &Web<'_>) {
    let left = web.root(LEFT);
    assert_eq!(left.text(), "", "{left:?}");
}

#[test]
fn a_service_of_a_user_is_proven_as_that_user() {
    let Some(machine) = Machine::alone("verify of a service with User=") else {
        return;
    };
    let web = Web::new(&machine);
    web.linger();
    web.make_image();
    expect(&web.up("--listen 80"), 0, &["listening on "]);
    web.assert_served();
    // A copy has all groups that the service has.
    let dropin = |text: &str| {
        web.root(&format!(
            "printf '[Service]\n{text}' > /etc/systemd/system/run-as.service.d/60-more.conf && \
             systemctl daemon-reload"
        ))
        .text();
    };
    dropin("SupplementaryGroups=audio\\n");
    let ended = verify(&web, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in [
        "run-as.service (as web): everything that level standard promises was seen; \
         proven: level standard",
        "The running service: every process has what one of a copy had",
    ] {
        assert!(ended.stdout.contains(part), "no {part:?} in {ended:?}");
    }
    // What is the user's was tried, and not what is root's.
    let uid = web.root("id -u web").text().to_owned();
    for own in [
        format!("/run/user/{uid}/bus of the host"),
        format!("/run/user/{uid}/systemd/private of the host"),
        "/home/web/.bashrc of the host".to_owned(),
    ] {
        assert!(ended.stdout.contains(&own), "no {own:?} in {ended:?}");
    }
    assert!(!ended.stdout.contains(": /root"), "{ended:?}");
    for (title, cells) in [
        (
            "ptrace of a process outside",
            &["open", "closed", "closed", "closed"][..],
        ),
        (
            "UNIX socket outside, by its path",
            &["open", "open", "open", "n/a"],
        ),
        ("the user's D-Bus", &["open", "open", "open", "n/a"]),
        (
            "writes the user's .bashrc",
            &["open", "open", "open", "n/a"],
        ),
        ("podman run --network=host, AF_INET", &["open", "closed"]),
    ] {
        assert_eq!(row(&ended, title), cells, "{title}: {ended:?}");
    }
    expect_nothing_left(&web);

    // Without the launcher, by a file that is read later.
    let command = web.root(
        "sed -n 's/^ExecStart=.*podseal enter .* -- //p' \
         /etc/systemd/system/run-as.service.d/50-podseal.conf",
    );
    let command = command.text();
    assert!(command.starts_with("/usr/bin/podman "), "{command}");
    dropin(&format!(
        "ExecStart=\\nExecStart={}\\n",
        command.replace('%', "%%")
    ));
    let ended = verify(&web, "");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("[seal-undone]"), "{ended:?}");
    let ended = verify(&web, "--level=standard");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for (title, cells) in [
        ("socket(AF_INET)", ["open", "closed", "closed", "closed"]),
        (
            "listener: AF_UNSPEC, connect",
            ["open", "OPEN", "OPEN", "OPEN"],
        ),
        (
            "signal to a process outside",
            ["open", "OPEN", "OPEN", "closed"],
        ),
    ] {
        assert_eq!(row(&ended, title), cells, "{title}: {ended:?}");
    }
    expect_nothing_left(&web);

    dropin("User=no-such\\n");
    let none = verify(&web, "");
    expect(&none, 1, &["/etc/passwd has no user no-such", "hint: "]);
    web.root("rm /etc/systemd/system/run-as.service.d/60-more.conf && systemctl daemon-reload")
        .text();
    half_way(&web);
}

/// Interrupted it leaves nothing, and killed the next removes it.
fn half_way(web: &Web<'_>) {
    let until = "until ls /run/systemd/system/podseal-verify-*-container.service 2>/dev/null; \
                 do sleep 0.02; done; ";
    for (signal, is_left) in [("TERM", false), ("KILL", true)] {
        web.root(&format!(
            "exec bash -c 'podseal verify --system run-as >/dev/null & \
             {until} kill -{signal} $!; wait $!; true'"
        ))
        .text();
        let left = web.root("ls -d /run/podseal-verify-*");
        assert_eq!(left.code == Some(0), is_left, "{signal}: {left:?}");
        if !is_left {
            expect_nothing_left(web);
        }
    }
    let both = web.root(
        "podseal verify --system run-as >/dev/null & podseal verify --system run-as; code=$?; \
         wait $! && exit $code",
    );
    assert_eq!(both.code, Some(0), "{both:?}");
    expect_nothing_left(web);
}
