//! A machine to test in, reached through `cargo xtask lab`.

use std::env;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How long anything may take before a test fails, in seconds.
const BOUND: &str = "60";

/// The tests share the machine; the one that reboots it has it alone.
static MACHINE: RwLock<()> = RwLock::new(());

/// The image that [`Machine::make_image`] makes.
pub(crate) const IMAGE: &str = "localhost/podseal-lab";

/// Kills the user's pause process, and waits for its end.
pub(crate) const KILL_PAUSE_PROCESS: &str = "pid=$(cat $XDG_RUNTIME_DIR/libpod/tmp/pause.pid); \
    kill -KILL $pid; while test -e /proc/$pid; do sleep 0.05; done";

/// A machine that runs.
pub(crate) struct Machine {
    name: String,
    xtask: PathBuf,
    _shared: Option<RwLockReadGuard<'static, ()>>,
    _alone: Option<RwLockWriteGuard<'static, ()>>,
}

/// How a command in the machine ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its output without the last line break; it must have succeeded.
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout.trim_end()
    }
}

impl Machine {
    /// The machine, together with other tests. None where there is none, which
    /// is said.
    pub(crate) fn shared(what: &str) -> Option<Self> {
        let shared = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        Some(Self {
            _shared: Some(shared),
            ..Self::find(what)?
        })
    }

    /// The machine while no other test uses it.
    pub(crate) fn alone(what: &str) -> Option<Self> {
        let alone = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        Some(Self {
            _alone: Some(alone),
            ..Self::find(what)?
        })
    }

    fn find(what: &str) -> Option<Self> {
        let Ok(name) = env::var("PODSEAL_LAB") else {
            let required = env::var("PODSEAL_TEST_REQUIRE").is_ok_and(|value| value == "all");
            assert!(
                !required,
                "{what}: not tested, PODSEAL_LAB names no machine"
            );
            let line = format!("SKIPPED: {what}: PODSEAL_LAB names no machine\n");
            io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        };
        // Cargo puts tests into a directory below that of programs.
        let own = env::current_exe().unwrap();
        let programs = own.parent().and_then(Path::parent).unwrap();
        Some(Self {
            name,
            xtask: programs.join("xtask"),
            _shared: None,
            _alone: None,
        })
    }

    /// Whether it has Podman's generator, and what pages of the documentation
    /// use beside it. Where not, says that `what` is skipped: the Podman of
    /// Debian 12 is too old, which is no lack that could be mended.
    pub(crate) fn has_quadlet(&self, what: &str) -> bool {
        let has = self.user("test -e /usr/libexec/podman/quadlet").code == Some(0);
        if !has {
            let line = format!("SKIPPED: {what}: {} has no Quadlet\n", self.name);
            io::stderr().write_all(line.as_bytes()).unwrap();
        }
        has
    }

    fn lab(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut child = Command::new("timeout")
            .args(["--kill-after=5", BOUND])
            .arg(&self.xtask)
            .arg("lab")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing is no failure.
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(input);
        drop(stdin);
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        Ended {
            // timeout ends by the signal that ended the command.
            code: status.code().or_else(|| Some(128 + status.signal()?)),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Runs a shell script as the user.
    pub(crate) fn user(&self, script: &str) -> Ended {
        self.user_with(script, b"")
    }

    /// The same with something on its standard input.
    pub(crate) fn user_with(&self, script: &str, input: &[u8]) -> Ended {
        let run = [
            "run", "--name", &self.name, "--user", "--", "sh", "-c", script,
        ];
        self.lab(&run, input)
    }

    /// Runs a shell script as root.
    pub(crate) fn root(&self, script: &str) -> Ended {
        self.lab(
            &["run", "--name", &self.name, "--", "sh", "-c", script],
            b"",
        )
    }

    /// Shuts down and boots again.
    pub(crate) fn reboot(&self) {
        self.lab(&["reboot", "--name", &self.name], b"").text();
    }

    /// Writes files of the user's, with paths below the home directory. A link
    /// is a file whose text is "-> TARGET".
    pub(crate) fn write<P: AsRef<str>, T: AsRef<str>>(&self, files: &[(P, T)]) {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, text) in files {
            let text = text.as_ref();
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            if let Some(target) = text.strip_prefix("-> ") {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                archive
                    .append_link(&mut header, path.as_ref(), target)
                    .unwrap();
            } else {
                header.set_size(text.len().try_into().unwrap());
                archive
                    .append_data(&mut header, path.as_ref(), text.as_bytes())
                    .unwrap();
            }
        }
        let archive = archive.into_inner().unwrap();
        self.user_with("tar --extract --touch --file=-", &archive)
            .text();
    }

    /// Waits until a unit of the user's is in a state such as "active".
    pub(crate) fn wait_for_state(&self, unit: &str, state: &str) {
        let script = format!(
            "until [ \"$(systemctl --user show --property=ActiveState --value {unit})\" = {state} ]; \
             do sleep 0.05; done"
        );
        let ended = self.user(&script);
        assert_eq!(
            ended.code,
            Some(0),
            "{unit} is not {state}:\n{}",
            self.journal(unit)
        );
    }

    /// What the journal has of a unit of the user's.
    pub(crate) fn journal(&self, unit: &str) -> String {
        // Everything that was said so far, not what happened to be written.
        let script = format!(
            "journalctl --sync; journalctl --no-pager --output=cat \
             _SYSTEMD_USER_UNIT={unit} + USER_UNIT={unit}"
        );
        self.root(&script).stdout
    }

    /// The version of systemd there.
    pub(crate) fn systemd_version(&self) -> u32 {
        let ended = self.user("systemctl --version");
        let version = ended.text().split_whitespace().nth(1).unwrap();
        version.parse().unwrap()
    }

    /// Makes an image of podseal's executable, which then serves echoes.
    pub(crate) fn make_image(&self) {
        self.user(&format!(
            "podman image exists {IMAGE} || tar -C /usr/bin -c podseal | \
             podman import --quiet --change 'ENTRYPOINT [\"/podseal\"]' - {IMAGE}"
        ))
        .text();
    }
}
