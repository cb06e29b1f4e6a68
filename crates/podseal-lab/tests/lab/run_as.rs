//! Services of the system's manager with rootless Podman of another user, on a
//! port that only root may open.

use crate::machine::{IMAGE, Machine};
use crate::web::{Web, expect};

/// Name, user, and what shows of the seal, of each process of the service.
const PROCESSES: &str =
    "cgroup=/sys/fs/cgroup$(systemctl show --property=ControlGroup --value run-as.service)
    for process in $(find $cgroup -name cgroup.procs | xargs cat); do
        sed -n -e 's/^Name:\\t//p' -e 's/^Uid:\\t\\([0-9]*\\).*/\\1/p' \
            -e 's/^NoNewPrivs:\\t/nnp /p' -e 's/^Seccomp:\\t/seccomp /p' /proc/$process/status
    done | xargs -n 6";

#[test]
fn port_80_of_a_user_who_never_logs_in() {
    let Some(machine) = Machine::alone("podseal up --system --run-as") else {
        return;
    };
    let web = Web::new(&machine);
    // Without a run-time directory, and then without one at boot.
    let listen = "--listen 80";
    let hint = "loginctl enable-linger web";
    expect(&web.up(listen), 1, &["there is no /run/user/", hint]);
    web.root(
        "systemd-run --quiet --unit=web-session --property=User=web --property=PAMName=login \
             sleep 600 && until systemctl --quiet is-active user@$(id -u web); do sleep 0.05; done",
    )
    .text();
    expect(&web.up(listen), 1, &["web does not linger", hint]);
    web.root("systemctl stop web-session user@$(id -u web).service");
    expect(
        &web.up("--linger --listen 80"),
        1,
        &["is not in web's storage", "podman pull", " web"],
    );
    // Put back.
    let lingers = web.root("test -e /var/lib/systemd/linger/web");
    assert_eq!(lingers.code, Some(1));
    web.linger();
    web.make_image();
    web.root("loginctl disable-linger web && systemctl stop user@$(id -u web).service");

    let made = web.up("--linger --listen 80");
    let wrote = [
        "wrote /etc/systemd/system/run-as.service\n",
        "wrote /etc/systemd/system/run-as.socket",
        "listening on ",
    ];
    expect(&made, 0, &wrote);
    assert!(!made.stderr.contains("warning"), "{made:?}");
    web.assert_served();
    let uid = web.root("id -u web").text().to_owned();
    let processes = web.root(PROCESSES);
    let mut names = Vec::new();
    for process in processes.text().lines() {
        let (name, rest) = process.split_once(' ').unwrap();
        assert_eq!(rest, format!("{uid} nnp 1 seccomp 2"), "{processes:?}");
        names.push(name);
    }
    assert!(names.contains(&"conmon"), "{processes:?}");
    assert!(names.contains(&"podseal"), "{processes:?}");
    let status = web.root("podseal status --system run-as");
    for text in ["standard", IMAGE, "[::]:80"] {
        assert!(status.text().contains(text), "{status:?}");
    }
    // Nothing but notes.
    web.root("podseal check --system run-as").text();
    expect(&web.up("--listen 80"), 0, &["run-as is unchanged"]);
    let of_root = format!("podseal up --system run-as --image {IMAGE} --listen 80");
    expect(&web.root(&of_root), 1, &["runs as web", "--run-as web"]);

    // The guardian, as root for the user.
    web.root(
        "systemctl stop run-as.service; pid=$(cat /run/user/$(id -u web)/libpod/tmp/pause.pid); \
         kill -KILL $pid; while test -e /proc/$pid; do sleep 0.05; done",
    )
    .text();
    web.assert_served();

    machine.reboot();
    web.assert_served();
    expect(&web.root("podseal down --system run-as"), 0, &["removed "]);
    let left = web.root(
        "find /etc/systemd -name '*run-as*'; as_web podman ps --all --quiet; \
         ls /run/user/$(id -u web) | grep run-as; \
         systemctl list-units --all --plain --no-legend 'run-as*'",
    );
    assert_eq!(left.stdout, "", "{left:?}");
}

/// Tries the ways out in the place of a program, and becomes it.
const PROBING: &str = "#!/bin/sh
env -u LISTEN_FDS podseal probe > /home/web/places/$$.$(basename \"$0\")
exec PROGRAM \"$@\"
";

/// The directory with the programs, and a service as Podman generates it, on
/// port 80 and with only `User=` in addition.
const BY_HAND: &str = "set -e
    mkdir -p /home/web/bin /home/web/places
    for program in podman conmon runc; do
        echo \"$PROBING\" | sed s,PROGRAM,$(command -v $program), > /home/web/bin/$program
    done
    chmod 755 /home/web/bin/*; chown web: /home/web/places
    as_web podman create --name run-as --rm --network none --pull never $IMAGE echo
    as_web podman generate systemd --name --new run-as | sed \
        -e 's,^ExecStart=/usr/bin/podman,ExecStart=/home/web/bin/podman --conmon=/home/web/bin/conmon --runtime=/home/web/bin/runc,' \
        -e '/^\\[Service\\]/a User=web' > /etc/systemd/system/run-as.service
    as_web podman rm run-as
    printf '[Socket]\\nListenStream=80\\n[Install]\\nWantedBy=sockets.target\\n' \
        > /etc/systemd/system/run-as.socket";

#[test]
fn a_service_with_user_that_was_there() {
    let Some(machine) = Machine::alone("podseal seal of a service with User=") else {
        return;
    };
    let web = Web::new(&machine);
    web.linger();
    web.make_image();
    web.root(&format!("IMAGE={IMAGE}; PROBING='{PROBING}'; {BY_HAND}"))
        .text();
    let seal = |edit: &str| {
        web.root(&format!(
            "sed -i -e '' {edit} /etc/systemd/system/run-as.service && systemctl daemon-reload && \
             podseal seal --system run-as"
        ))
    };
    // As it is it does not work, and why is said with the line.
    let texts = [
        "user-directive: ",
        "Podman moves out of the service",
        "web may not write to /run",
    ];
    expect(&seal(""), 1, &texts);
    let runtime = "-e s,%t,/run/user/$(id -u web),g";
    let with = |user: &str| seal(&format!("-e s/^User=.*/User={user}/"));
    let complete = seal(&format!("-e '/^User=/a Delegate=yes' {runtime}"));
    expect(
        &complete,
        0,
        &["XDG_RUNTIME_DIR is not set for web", "sealed "],
    );
    expect(&with("1001"), 1, &["user-directive: ", "this is a number"]);
    expect(&with("nobody"), 1, &["has no range of ids for nobody"]);
    expect(&with("no-such"), 1, &["/etc/passwd has no user no-such"]);
    expect(&with("web"), 0, &["run-as.service is sealed"]);
    let elsewhere = seal("-e '/^User=/a Environment=XDG_RUNTIME_DIR=/run/user/1'");
    expect(&elsewhere, 1, &["that of web is /run/user/"]);
    let sealed = seal(
        "-e s,/run/user/1$,/run/user/$(id -u web), \
         -e '/^\\[Unit\\]/a After=systemd-logind.service user@'$(id -u web).service",
    );
    expect(&sealed, 0, &["run-as.service is sealed"]);
    assert!(!sealed.stderr.contains("user-"), "{sealed:?}");

    web.root("systemctl start run-as.socket").text();
    web.assert_served();
    for program in ["podman", "conmon", "runc"] {
        let found = web.root(&format!("cat /home/web/places/*.{program}"));
        let of = |outcome: &str| format!("\"id\":\"af-inet\",\"outcome\":\"{outcome}\"");
        assert!(found.text().contains(&of("refused")), "{found:?}");
        assert!(!found.text().contains(&of("succeeded")), "{found:?}");
    }
    let processes = web.root(PROCESSES);
    assert!(!processes.text().contains("nnp 0"), "{processes:?}");
    assert!(!processes.text().contains(" 0 nnp"), "{processes:?}");
    strict_from_the_users_own_profile(&web);
    web.root("loginctl disable-linger web").text();
    expect(&seal(""), 0, &["warning: web does not linger"]);
    let unsealed = web.root("podseal unseal --system run-as");
    expect(&unsealed, 0, &["unsealed run-as.service"]);
}

/// Root's Podman has another profile, and does not have the image.
fn strict_from_the_users_own_profile(web: &Web) {
    web.root(
        "systemctl stop run-as.service && cd /home/web && mkdir -p .config/containers && \
         sed 's/\"names\": \\[/&\"lab_call\",/' /usr/share/containers/seccomp.json > own.json && \
         printf '[containers]\\nseccomp_profile = \"/home/web/own.json\"\\n' \
             > .config/containers/containers.conf && \
         chown -R web: .config own.json && chmod 700 .config && chmod 600 own.json",
    )
    .text();
    let seal = "podseal seal --system --level=strict run-as";
    let digest = web.root(&format!(
        "as_web podman image inspect --format '{{{{.Digest}}}}' {IMAGE}"
    ));
    let pinned = format!("@{}", digest.text().trim());
    expect(
        &web.root(seal),
        1,
        &["image-not-pinned", "name it ", &pinned],
    );
    let name = IMAGE.split(':').next().unwrap_or(IMAGE);
    let edit = format!(
        "sed -i s,{IMAGE},{name}{pinned}, /etc/systemd/system/run-as.service && \
         systemctl daemon-reload && {seal}"
    );
    expect(
        &web.root(&edit),
        0,
        &["sealed run-as.service at level strict"],
    );
    let made = web.root("cat /etc/systemd/system/run-as.service.d/50-podseal.seccomp.json");
    assert!(made.text().contains("lab_call"), "{made:?}");
    web.assert_served();
}
