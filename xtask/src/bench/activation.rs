//! The time from the first connection to the first echoed byte.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::idle::{Resident, resident};
use super::report::{Row, Section, Target};
use super::site::{IMAGE, Site, file};
use super::statistics::{milliseconds, pairs};
use super::{BenchError, attempt, interrupt};
use crate::command::Running;

/// How many times as long as systemd-socket-activate it may take.
const LIMIT: f64 = 1.05;

/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between the socket's opening and the connection: both sides are waiting by
/// then.
const SETTLE: Duration = Duration::from_millis(200);

pub(crate) fn section() -> Section {
    Section {
        title: "Activation",
        method: "From connect(2) to the first byte echoed by a container that the connection starts.\n\
                 The alternative runs the very command that podseal runs, without the seal.",
        ..Section::default()
    }
}

/// Measures, and returns what each waiting supervisor had in memory.
pub(crate) fn measure(site: &Site, count: usize, section: &mut Section) -> Vec<Resident> {
    let label = site.label();
    let mut waiting = Vec::new();
    attempt(section, &format!("activation, {label}"), |section| {
        let socket = site.run_time_directory().join("bench.sock");
        let command = alternative(site, &podman_command(site, &socket)?);
        let pairs = pairs(
            count,
            || {
                let supervisor = podseal(site, &socket)?;
                waiting.push(resident(&supervisor)?);
                let took = echo(site, &socket)?;
                drop(supervisor);
                Ok(took)
            },
            || {
                let took = systemd_socket_activate(site, &socket, &command);
                site.remove_containers()?;
                let _ = fs::remove_file(&socket);
                took
            },
        );
        let pairs = pairs.inspect_err(|_: &BenchError| {
            let _ = site.remove_containers();
        })?;
        let nothing = || BenchError::Nothing("activation");
        let ratio = pairs.ratio().ok_or_else(nothing)?;
        section.rows.push(Row {
            measured: format!("`podseal run`, connect to first byte, {label}"),
            podseal: format!("{} ms", pairs.first().ok_or_else(nothing)?.display(0)),
            alternative: "`systemd-socket-activate podman run`".into(),
            other: format!("{} ms", pairs.second().ok_or_else(nothing)?.display(0)),
            result: format!("ratio {}", ratio.display(2)),
            target: Target::at_most(ratio.median, LIMIT, ""),
        });
        Ok(())
    });
    waiting
}

/// Starts `podseal run` and waits until it listens.
pub(crate) fn podseal(site: &Site, socket: &Path) -> Result<Running, BenchError> {
    interrupt::check()?;
    let listen = socket.display().to_string();
    let running = site
        .podseal(["run", "--quiet", "--name=bench", "--listen", &listen])
        .with(["--image", IMAGE])
        .start(&site.log())?;
    until_listening(site, socket)?;
    Ok(running)
}

fn systemd_socket_activate(
    site: &Site,
    socket: &Path,
    command: &[String],
) -> Result<f64, BenchError> {
    interrupt::check()?;
    let _ = fs::remove_file(cid_file(site));
    // It keeps hardly a variable of its own environment.
    let variables = site
        .environment()
        .map(|(name, value)| format!("{name}={value}"));
    let variables = variables
        .into_iter()
        .flat_map(|variable| ["--setenv".into(), variable]);
    let _running = site
        .command("systemd-socket-activate", ["--listen"])
        .with([socket])
        .with(variables.collect::<Vec<String>>())
        .with(["--"])
        .with(command)
        .start(&site.log())?;
    until_listening(site, socket)?;
    echo(site, socket)
}

/// Milliseconds from connecting to the first byte of the answer.
fn echo(site: &Site, socket: &Path) -> Result<f64, BenchError> {
    let talk = || {
        let begun = Instant::now();
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"hello\n")?;
        stream.read_exact(&mut [0])?;
        Ok(milliseconds(begun.elapsed()))
    };
    talk().map_err(|source| {
        let log = fs::read_to_string(site.log()).unwrap_or_default();
        // What the server said is the better explanation.
        if log.trim().is_empty() {
            return file("hear an echo from", socket, source);
        }
        BenchError::TooLate {
            what: "an echo".into(),
            seconds: PATIENCE.as_secs(),
            log,
        }
    })
}

fn until_listening(site: &Site, socket: &Path) -> Result<(), BenchError> {
    wait_for(site, "listening", || {
        let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
        is_listening(&sockets, socket).then_some(())
    })?;
    thread::sleep(SETTLE);
    Ok(())
}

/// Asks `question` until it has an answer.
fn wait_for<T>(
    site: &Site,
    what: &str,
    mut question: impl FnMut() -> Option<T>,
) -> Result<T, BenchError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = question() {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(BenchError::TooLate {
                what: what.into(),
                seconds: PATIENCE.as_secs(),
                log: fs::read_to_string(site.log()).unwrap_or_default(),
            });
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the text of /proc/net/unix, see proc_net_unix(5), has the socket
/// with the flag `__SO_ACCEPTCON`.
fn is_listening(sockets: &str, socket: &Path) -> bool {
    sockets.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(3) == Some(&"00010000") && fields.get(7).map(Path::new) == Some(socket)
    })
}

/// The Podman command of `podseal run`, as it is seen among its children.
fn podman_command(site: &Site, socket: &Path) -> Result<Vec<String>, BenchError> {
    let supervisor = podseal(site, socket)?;
    let connect = |source| file("connect to", socket, source);
    let mut stream = UnixStream::connect(socket).map_err(connect)?;
    let pid = supervisor.id();
    let command = wait_for(site, "podman run", || {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().find_map(|child| {
            let words = fs::read_to_string(format!("/proc/{child}/cmdline")).ok()?;
            podman_run(&words)
        })
    })?;
    // It ends more quickly once the container is there.
    stream.set_read_timeout(Some(PATIENCE)).map_err(connect)?;
    stream
        .write_all(b"x")
        .and_then(|()| stream.read_exact(&mut [0]))
        .map_err(connect)?;
    Ok(command)
}

/// The `podman run` command in the text of /proc/PID/cmdline, with or without
/// the launcher before it.
fn podman_run(cmdline: &str) -> Option<Vec<String>> {
    let words: Vec<String> = cmdline.split_terminator('\0').map(str::to_owned).collect();
    let podman = words.iter().position(|word| {
        Path::new(word)
            .file_name()
            .is_some_and(|name| name == "podman")
    })?;
    let command = &words[podman..];
    command
        .iter()
        .any(|word| word == "run")
        .then(|| command.to_vec())
}

fn cid_file(site: &Site) -> PathBuf {
    site.run_time_directory().join("cid")
}

/// The same command for another container.
fn alternative(site: &Site, command: &[String]) -> Vec<String> {
    let replace = |word: &String| {
        if word.starts_with("--name=") {
            "--name=alternative".into()
        } else if word.starts_with("--cidfile=") {
            format!("--cidfile={}", cid_file(site).display())
        } else {
            word.clone()
        }
    };
    command.iter().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_are_told_from_connected_ones() {
        let sockets = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                       0: 00000002 00000000 00010000 0001 01 111 /run/a\n\
                       0: 00000003 00000000 00000000 0001 03 112 /run/b\n\
                       0: 00000003 00000000 00000000 0001 03 113\n";
        assert!(is_listening(sockets, Path::new("/run/a")));
        assert!(!is_listening(sockets, Path::new("/run/b")));
        assert!(!is_listening(sockets, Path::new("/run")));
    }

    #[test]
    fn the_podman_command_is_found_after_the_launcher() {
        let plain = "/usr/bin/podman\0--runtime=runc\0run\0--name=x\0image\0";
        let words = [
            "/usr/bin/podman",
            "--runtime=runc",
            "run",
            "--name=x",
            "image",
        ];
        let launched = format!("/a/podseal\0enter\0--families=AF_UNIX\0--\0{plain}");
        for cmdline in [plain, &launched] {
            assert_eq!(
                podman_run(cmdline).as_deref(),
                Some(&words.map(str::to_owned)[..])
            );
        }
        for cmdline in ["", "/a/podseal\0pause\0ensure\0", "podman\0unshare\0true\0"] {
            assert_eq!(podman_run(cmdline), None, "{cmdline:?}");
        }
    }
}
