//! `podseal run --image` with real Podman, as root and as a normal user, each
//! in a storage of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::account::{Account, is_root, lacking_here, normal_user};
use crate::fixture::{BOUND, Ended, Place, Running, describe, eventually, output};
use crate::talk::{Client, hello};

/// Podman's own name for the image that the tests make.
pub(crate) const IMAGE: &str = "localhost/podseal-it:1";

/// Declares tests that are the same for root and for a normal user.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        mod as_root {
            $(#[test] fn $name() { super::as_root(stringify!($name), super::$name); })*
        }
        mod as_user {
            $(#[test] fn $name() { super::as_user(stringify!($name), super::$name); })*
        }
    };
}

scenarios![
    serves_sealed_and_leaves_nothing,
    serves_at_level_strict,
    pulling_fails_and_is_explained,
    an_absent_image_is_refused_before_the_socket_is_opened,
    a_container_that_dies_is_started_again,
    a_container_that_keeps_failing_is_given_up,
    podman_that_hangs_is_ended,
    a_signal_during_the_checks_leaves_nothing,
    a_signal_during_the_start_leaves_nothing,
    a_blocked_container_id_file_is_reported,
    what_a_killed_run_left_is_replaced,
    options_and_arguments_reach_the_container,
];

pub(crate) fn as_root(name: &str, scenario: fn(&Lab)) {
    if is_root() {
        in_lab(name, None, scenario);
    } else {
        lacking_here(name, "the tests do not run as root");
    }
}

pub(crate) fn as_user(name: &str, scenario: fn(&Lab)) {
    in_lab(name, normal_user(), scenario);
}

fn in_lab(name: &str, account: Option<Account>, scenario: fn(&Lab)) {
    if Command::new("podman").arg("--version").output().is_err() {
        return lacking_here(name, "there is no podman");
    }
    scenario(&Lab::new(account, "vfs"));
}

/// A place with a Podman storage of its own that has the echo image.
pub(crate) struct Lab {
    pub(crate) place: Place,
}

impl Lab {
    /// With its storage in files of this driver.
    pub(crate) fn new(account: Option<Account>, driver: &str) -> Self {
        let mut place = Place::of(account);
        // Rootless Podman has its storage at home, which is the place.
        let directories = if place.is_root() {
            let (graph, run) = (place.text("graph"), place.text("run"));
            format!("graphroot = \"{graph}\"\nrunroot = \"{run}\"\n")
        } else {
            String::new()
        };
        let storage = format!("[storage]\ndriver = \"{driver}\"\n{directories}");
        // Locks in shared memory would be those of every storage of the user.
        let engine = format!(
            "[engine]\nlock_type = \"file\"\nevents_logger = \"file\"\n\
             cgroup_manager = \"cgroupfs\"\ntmp_dir = \"{}\"\n",
            place.text("libpod/tmp")
        );
        place.set("STORAGE_DRIVER", driver.into());
        for (name, file, text) in [
            ("CONTAINERS_STORAGE_CONF", "storage.conf", storage),
            ("CONTAINERS_CONF", "containers.conf", engine),
        ] {
            fs::write(place.path(file), text).unwrap();
            place.set(name, place.path(file));
        }
        let lab = Self { place };
        let program = PathBuf::from(lab.place.podseal());
        let archive = lab.place.text("image.tar");
        let tar = output(
            Command::new("tar")
                .args(["-cf", &archive, "-C"])
                .args([program.parent().unwrap(), "podseal".as_ref()]),
        );
        assert!(tar.status.success(), "{tar:?}");
        lab.podman(&[
            "import",
            "--quiet",
            r#"--change=ENTRYPOINT ["/podseal"]"#,
            r#"--change=CMD ["echo"]"#,
            &archive,
            IMAGE,
        ]);
        lab
    }

    pub(crate) fn podman(&self, arguments: &[&str]) -> String {
        let ended = output(self.place.program("podman").args(arguments));
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
        ended.stdout.trim().to_owned()
    }

    pub(crate) fn socket(&self) -> String {
        self.place.text("socket")
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = self.place.command(&["run", "--name=it", "--listen"]);
        command.arg(self.socket()).args(options);
        command
    }

    /// Starts `podseal run` with the image, and waits until it listens.
    pub(crate) fn run(&self, options: &[&str]) -> Running {
        let options = [&["--image", IMAGE], options].concat();
        let run = Running::start(&mut self.command(&options));
        run.wait_for("listening on ");
        run
    }

    /// The container's main process.
    fn main(&self) -> Pid {
        let pid = self.podman(&["inspect", "--format={{.State.Pid}}", "podseal-it"]);
        Pid::from_raw(pid.parse().unwrap()).unwrap()
    }

    pub(crate) fn hello(&self, run: &Running) {
        hello(&self.socket()).unwrap_or_else(|error| panic!("{error}: {}", run.stderr()));
    }

    pub(crate) fn images_of_the_demo(&self) -> String {
        self.podman(&["images", "--quiet", "localhost/podseal-demo"])
    }

    fn pause_process(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.place.path("libpod/tmp/pause.pid")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }

    fn end_pause_process(&self) {
        if let Some(pid) = self.pause_process() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    pub(crate) fn expect_nothing_left(&self) {
        assert_eq!(
            self.podman(&["ps", "--all", "--quiet"]),
            "",
            "left a container"
        );
        self.end_pause_process();
        self.place.expect_nothing_left();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let podman = |arguments: &[&str]| {
            let mut bounded = self.place.program("timeout");
            let _ = bounded.args(["30", "podman"]).args(arguments).output();
        };
        // After a failure there may be a container, which has no mark of ours.
        podman(&["rm", "--all", "--force", "--time=0"]);
        if !is_root() {
            // Files of subordinate ids, which the user alone cannot remove.
            podman(&["unshare", "rm", "-rf", &self.place.text(".local")]);
        }
        self.end_pause_process();
    }
}

/// The container's processes have the image's environment and so no mark.
fn expect_gone(process: Pid) {
    let alive = test_kill_process(process).is_ok();
    assert!(!alive, "left {:?}", describe(&[process]));
}

fn serves_sealed_and_leaves_nothing(lab: &Lab) {
    let run = lab.run(&[]);
    assert_eq!(
        lab.podman(&["ps", "--all", "--quiet"]),
        "",
        "started too early"
    );
    lab.hello(&run);
    run.wait_for("up, main process ");
    run.wait_for(", container ");
    let main = lab.main();
    let status = fs::read_to_string(format!("/proc/{}/status", main.as_raw_nonzero())).unwrap();
    for expected in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.lines().any(|line| line == expected), "{status}");
    }
    // Again, without a start.
    lab.hello(&run);
    assert_eq!(lab.main(), main);
    run.stop().expect(0, &["signal 15, stopping", "stopped"]);
    expect_gone(main);
    lab.expect_nothing_left();
}

fn serves_at_level_strict(lab: &Lab) {
    let digest = lab.podman(&["image", "inspect", "--format={{.Digest}}", IMAGE]);
    let pinned = format!("localhost/podseal-it@{digest}");
    let refused = |options: &[&str], texts: &[&str]| {
        let options = [&["--level=strict"], options].concat();
        let ended = output(&mut lab.command(&options));
        ended.expect(1, texts);
        assert!(!ended.stderr.contains("listening"), "{ended:?}");
    };
    let not_pinned = format!("the image {IMAGE} is not named by digest");
    let name_it = format!("hint: name it {pinned}");
    refused(&["--image", IMAGE], &[&not_pinned, &name_it]);
    let is_added = "level strict cannot be had: --cap-add: ";
    refused(&["--image", &pinned, "--", "--cap-add=CHOWN"], &[is_added]);
    refused(&["--", "true"], &["level strict is for containers"]);

    let options = ["--level=strict", "--image", &pinned];
    let run = Running::start(&mut lab.command(&options));
    run.wait_for("listening on ");
    lab.hello(&run);
    let status = fs::read_to_string(format!("/proc/{}/status", lab.main().as_raw_nonzero()));
    let status = status.unwrap();
    for expected in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"] {
        assert!(status.lines().any(|line| line == expected), "{status}");
    }
    assert!(
        !run.stderr().contains("--allow-connect"),
        "{}",
        run.stderr()
    );
    run.stop().expect(0, &["stopped"]);

    let options = ["--allow-connect", "--level=strict", "--image", &pinned];
    let run = Running::start(&mut lab.command(&options));
    run.wait_for("connect(2) is allowed in the container");
    run.wait_for("listening on ");
    lab.hello(&run);
    run.stop().expect(0, &["stopped"]);
    lab.expect_nothing_left();
}

fn pulling_fails_and_is_explained(lab: &Lab) {
    // Nobody outside this host is asked, even if the seal does not hold.
    let image = "127.0.0.1:1/podseal-it:1";
    let options = ["--start=now", "--pull=always", "--image", image];
    output(&mut lab.command(&options)).expect(
        1,
        &[
            "socket: address family not supported by protocol",
            "why: Podman tried to reach a registry, and the seal keeps it from",
            "fix: pull the image beforehand with `podman pull IMAGE`",
            "no longer listening (start-limit-hit)",
        ],
    );
    lab.expect_nothing_left();
}

fn an_absent_image_is_refused_before_the_socket_is_opened(lab: &Lab) {
    let image = "localhost/podseal-none:7";
    let ended = output(&mut lab.command(&["--image", image]));
    ended.expect(
        1,
        &[
            "the image localhost/podseal-none:7 is not in this user's storage",
            "hint: podman pull localhost/podseal-none:7",
        ],
    );
    assert!(!ended.stderr.contains("listening"), "{ended:?}");
    lab.expect_nothing_left();
}

fn a_container_that_dies_is_started_again(lab: &Lab) {
    let run = lab.run(&[]);
    lab.hello(&run);
    kill_process(lab.main(), Signal::KILL).unwrap();
    run.wait_for_times("up, main process ", 2);
    lab.hello(&run);
    run.stop()
        .expect(0, &["ExecStart exited with status 137", "starting again"]);
    lab.expect_nothing_left();
}

fn a_container_that_keeps_failing_is_given_up(lab: &Lab) {
    let run = lab.run(&["--", "--", "no-such-verb"]);
    let _client = Client::connect(&lab.socket()).unwrap();
    // What it says passes through.
    run.end().expect(
        1,
        &["no-such-verb", "no longer listening (start-limit-hit)"],
    );
    lab.expect_nothing_left();
}

/// A Podman that never comes back from some of its commands, as it happens
/// with a stuck storage.
fn podman_that_hangs_is_ended(lab: &Lab) {
    let directory = lab.place.path("bin");
    let podman = output(Command::new("sh").args(["-c", "command -v podman"]));
    for (hangs, container_stays) in [("stop", false), ("stop|rm", true)] {
        let script = format!(
            "#!/bin/sh\nfor word; do case $word in {hangs}) exec sleep 1000;; esac; done\n\
             exec {} \"$@\"\n",
            podman.stdout.trim()
        );
        fs::write(lab.place.path("script"), script).unwrap();
        let installed = Command::new("install")
            .args(["-D", "-m", "0755"])
            .args([lab.place.path("script"), directory.join("podman")])
            .status();
        assert!(installed.unwrap().success());
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", directory.display());
        let options = ["--timeout-stop=2s", "--image", IMAGE];
        let run = Running::start(lab.command(&options).env("PATH", path));
        run.wait_for("listening on ");
        lab.hello(&run);
        run.wait_for("up, main process ");
        let main = lab.main();
        let start = Instant::now();
        let ended = run.stop();
        expect_gone(main);
        ended.expect(0, &["stopped"]);
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(2), "it did not hang: {ended:?}");
        assert!(took < Duration::from_secs(15), "{took:?}: {ended:?}");
        if container_stays {
            // Podman's note of it, which podseal cannot remove without Podman.
            lab.podman(&["rm", "--force", "--ignore", "podseal-it"]);
        }
        lab.expect_nothing_left();
    }
}

fn a_signal_during_the_start_leaves_nothing(lab: &Lab) {
    for signals in [&[Signal::INT][..], &[Signal::HUP, Signal::TERM]] {
        let run = lab.run(&[]);
        let _client = Client::connect(&lab.socket()).unwrap();
        run.wait_for("traffic on ");
        for signal in signals {
            run.signal(*signal);
        }
        run.end().expect(0, &["stopped"]);
        lab.expect_nothing_left();
    }
}

fn a_blocked_container_id_file_is_reported(lab: &Lab) {
    let run = lab.run(&[]);
    // A directory that is not empty can be neither written nor removed.
    let mut mkdir = lab.place.program("mkdir");
    mkdir.args(["-p", "podseal/it/cid/x"]);
    assert!(output(&mut mkdir).status.success());
    let _client = Client::connect(&lab.socket()).unwrap();
    run.wait_for("cannot use the container id file ");
    let ended: Ended = run.end();
    ended.expect(1, &["no longer listening (start-limit-hit)"]);
    lab.expect_nothing_left();
}

fn what_a_killed_run_left_is_replaced(lab: &Lab) {
    let run = lab.run(&[]);
    lab.hello(&run);
    let main = lab.main();
    run.signal(Signal::KILL);
    run.end();
    // The container lives on and listens.
    hello(&lab.socket()).unwrap();
    let second = lab.place.text("second");
    let words = ["run", "--name=it", "--image", IMAGE, "--listen", &second];
    let run = Running::start(&mut lab.place.command(&words));
    run.wait_for("listening on ");
    hello(&second).unwrap_or_else(|error| panic!("{error}: {}", run.stderr()));
    assert_ne!(lab.main(), main);
    run.stop().expect(0, &[]);
    assert!(hello(&lab.socket()).is_err(), "the first container lives");
    fs::remove_file(lab.socket()).unwrap();
    lab.expect_nothing_left();
}

fn options_and_arguments_reach_the_container(lab: &Lab) {
    let options = ["--start=now", "--notify", "--fdname=a"];
    let options = [
        &options[..],
        &["--", "--env=A=1", "--read-only", "--", "echo", "--sdnotify"],
    ];
    let run = lab.run(&options.concat());
    run.wait_for("up, main process ");
    lab.hello(&run);
    let format = "--format={{.Config.Env}} {{.HostConfig.ReadonlyRootfs}} {{.Args}}";
    let seen = lab.podman(&["inspect", format, "podseal-it"]);
    for expected in ["A=1", "] true [", "echo --sdnotify]"] {
        assert!(seen.contains(expected), "no {expected:?} in {seen}");
    }
    run.stop().expect(0, &[]);
    lab.expect_nothing_left();
}

/// Between two activations, when nothing of the service runs.
#[test]
fn a_killed_pause_process_is_made_again() {
    as_user("a killed pause process", |lab| {
        let run = lab.run(&[]);
        lab.hello(&run);
        lab.podman(&["stop", "podseal-it"]);
        run.wait_for("down (success)");
        let pause = lab.pause_process().expect("a pause process");
        kill_process(pause, Signal::KILL).unwrap();
        let gone = eventually(BOUND, || {
            (!lab.place.processes().contains(&pause)).then_some(())
        });
        assert!(gone.is_some());
        lab.hello(&run);
        assert_ne!(lab.pause_process(), Some(pause));
        run.stop().expect(0, &[]);
        lab.expect_nothing_left();
    });
}

#[test]
#[should_panic(expected = "left a container")]
fn a_container_left_behind_is_noticed() {
    as_user("a container left behind", |lab| {
        lab.podman(&["create", "--name=left", IMAGE]);
        lab.expect_nothing_left();
    });
    // Where there is no Podman, nothing was tried.
    panic!("left a container: not tried");
}

/// While Podman is asked and OCI runtimes are tried, before anything listens.
fn a_signal_during_the_checks_leaves_nothing(lab: &Lab) {
    let mut command = lab.command(&["--image", IMAGE]);
    let run = Running::start(&mut command);
    let trial = lab.place.path("podseal/it");
    let begun = eventually(BOUND, || trial.is_dir().then_some(()));
    assert!(begun.is_some(), "{}", run.stderr());
    run.signal(Signal::TERM);
    run.end().expect(0, &["signal 15, stopping", "stopped"]);
    lab.expect_nothing_left();
}
