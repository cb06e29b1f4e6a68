//! The recipe's three units, as people write them, with real Podman: from the
//! first connection to a socket that was given up, and back.

use std::fs;

use rustix::process::{Resource, getrlimit};

use crate::container::{IMAGE, Lab, as_root, as_user};
use crate::fixture::{Running, output};
use crate::talk::{Client, hello};
use crate::units::Units;

const SOCKET: &str = "[Unit]\nDescription=echo\n\n[Socket]\nListenStream=PLACE/socket\n\
                      RemoveOnStop=yes\n\n[Install]\nWantedBy=sockets.target\n";

const PAUSE: &str = "[Unit]\nDescription=podman-pause-process.service\n\n[Service]\nType=oneshot\n\
                     Restart=on-failure\nTimeoutStopSec=70\nExecStart=/usr/bin/podman unshare true\n\
                     RemainAfterExit=yes\n";

/// What the recipe adds to the unit that Podman generates.
const ADDED_TO_UNIT: &str = "[Unit]\nRequires=podman-pause-process.service\n\
                             After=podman-pause-process.service\nBindTo=podman-pause-process.service\n";
const ADDED_TO_SERVICE: &str =
    "[Service]\nRestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes\n";

/// Options of Podman, and of its `run` and `create`, without which a container
/// does not start on every host: runc where it is installed, as crun does not
/// work everywhere, and limits where Podman cannot choose them.
pub(crate) fn options(lab: &Lab) -> [Vec<String>; 2] {
    let runc = output(std::process::Command::new("sh").args(["-c", "command -v runc"]));
    let runtime = runc.status.success().then(|| "--runtime=runc".to_owned());
    let mut options = Vec::new();
    if lab.place.is_root() {
        // Without CAP_SYS_RESOURCE, Podman cannot have more.
        let text = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap();
        let pid_max: u64 = text.trim().parse().unwrap();
        let files = getrlimit(Resource::Nofile).maximum.unwrap_or(1024);
        let processes = getrlimit(Resource::Nproc).maximum.unwrap_or(pid_max);
        let processes = processes.min(pid_max);
        options.push(format!("--ulimit=nofile={files}:{files}"));
        options.push(format!("--ulimit=nproc={processes}:{processes}"));
    }
    [runtime.into_iter().collect(), options]
}

/// What `podman generate systemd --new` makes of a container.
fn generated(lab: &Lab) -> String {
    let [mut create, options] = options(lab);
    let words = [
        "create",
        "--rm",
        "--name=echo",
        "--network=none",
        "--pull=never",
    ];
    create.extend(words.map(str::to_owned));
    create.extend(options);
    create.push(IMAGE.to_owned());
    lab.podman(&create.iter().map(String::as_str).collect::<Vec<_>>());
    let unit = lab.podman(&["generate", "systemd", "--new", "--name", "echo"]);
    lab.podman(&["rm", "echo"]);
    unit.replacen("[Unit]\n", ADDED_TO_UNIT, 1)
        .replacen("[Service]\n", ADDED_TO_SERVICE, 1)
}

fn from_first_connection_to_failure_and_back(lab: &Lab) {
    let service = generated(lab);
    let mut units = vec![("echo.socket", SOCKET), ("echo.service", &service)];
    // Root has no pause process.
    let pause = PAUSE.replace("podman unshare true", "true");
    units.push((
        "podman-pause-process.service",
        if lab.place.is_root() { &pause } else { PAUSE },
    ));
    let units = Units::new(&lab.place, &units);
    let run = units.run(&["echo.socket"]);
    run.wait_for("echo.socket: listening on ");
    run.wait_for("echo.service: sealed at level families: AF_UNIX AF_NETLINK only");
    assert_eq!(
        units.status("podman-pause-process.service"),
        "inactive (dead), NOT SEALED"
    );

    lab.hello(&run);
    units.wait_for_status("echo.service", "active (running), main process ");
    units.wait_for_status("podman-pause-process.service", "active (exited)");
    let pid = lab.podman(&["inspect", "--format={{.State.Pid}}", "echo"]);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for expected in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.lines().any(|line| line == expected), "{status}");
    }

    // Under the seal nothing can be pulled.
    units.write(
        "echo.service",
        &service.replace("--pull=never", "--pull=always"),
    );
    units.ask(&["stop", "echo.service"]).expect(0, &[]);
    let client = Client::connect(&lab.socket()).unwrap();
    units.wait_for_status(
        "echo.socket",
        "failed (failed), result service-start-limit-hit",
    );
    assert!(client.expect(b"x").is_err());
    units.ask(&["status", "echo.service"]).expect(3, &[]);
    let failed = units.status("echo.service");
    assert_eq!(failed, "failed (failed), result exit-code, sealed");
    run.wait_for("address family not supported by protocol");
    run.wait_for("why: Podman tried to reach a registry, and the seal keeps it from");
    assert!(hello(&lab.socket()).is_err());

    units.write("echo.service", &service);
    units
        .ask(&["reset-failed", "echo.service", "echo.socket"])
        .expect(0, &[]);
    units.ask(&["start", "echo.socket"]).expect(0, &[]);
    lab.hello(&run);

    // It is bound to the pause unit.
    units
        .ask(&["stop", "podman-pause-process.service"])
        .expect(0, &[]);
    units.wait_for_status("echo.service", "inactive (dead)");
    lab.hello(&run);
    run.stop().expect(0, &["stopped"]);
    if lab.place.is_root() {
        let _ = fs::remove_file("/run/echo.service.ctr-id");
    }
    lab.expect_nothing_left();
}

#[test]
fn recipe_as_root() {
    as_root(
        "the recipe, as root",
        from_first_connection_to_failure_and_back,
    );
}

#[test]
fn recipe_as_user() {
    as_user(
        "the recipe, as a user",
        from_first_connection_to_failure_and_back,
    );
}

/// The file with the container's id is left by the first start, and Podman 4.3
/// does not write it over.
fn what_up_writes_is_started_again(lab: &Lab) {
    let socket = lab.socket();
    let up = [
        "up",
        "echo",
        "--form=service",
        "--no-start",
        "--image",
        IMAGE,
    ];
    let mut up = lab.place.command(&up);
    output(up.args(["--listen", &socket])).expect(0, &["wrote "]);
    let directory = lab.place.text(".config/systemd/user");
    let run = ["run", "--units", &directory, "echo.socket"];
    let run = Running::start(&mut lab.place.command(&run));
    run.wait_for("echo.socket: listening on ");
    for _ in 0..2 {
        lab.hello(&run);
        let stop = output(&mut lab.place.command(&["stop", "echo.service"]));
        stop.expect(0, &[]);
    }
    run.stop().expect(0, &["stopped"]);
    lab.expect_nothing_left();
}

#[test]
fn as_up_writes_it() {
    as_user(
        "the recipe, as `up` writes it",
        what_up_writes_is_started_again,
    );
}
