//! A user of the machine whose rootless Podman a service of the system's manager
//! runs, and who never logs in.

use crate::machine::{Ended, IMAGE, Machine};

const TALK: &str = "talk() { timeout 20 bash -c \
    \"exec 3<>/dev/tcp/$1/80; echo hello >&3; head -n 1 <&3\"; }; ";

/// A user who never logs in, and goes at the end of the test.
pub(crate) struct Web<'a> {
    machine: &'a Machine,
}

/// Runs a command of the user's Podman.
const AS_WEB: &str = "as_web() { setpriv --reuid=web --regid=web --init-groups env --chdir=/ \
    --ignore-environment HOME=/home/web USER=web PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    XDG_RUNTIME_DIR=/run/user/$(id -u web) \"$@\"; }; ";

impl<'a> Web<'a> {
    pub(crate) fn new(machine: &'a Machine) -> Self {
        let own = Self { machine };
        own.remove();
        machine
            .root("useradd --create-home --shell=/usr/sbin/nologin web")
            .text();
        own
    }

    pub(crate) fn root(&self, script: &str) -> Ended {
        self.machine.root(&format!("{TALK}{AS_WEB}{script}"))
    }

    pub(crate) fn up(&self, arguments: &str) -> Ended {
        self.root(&format!(
            "podseal up --system --run-as web run-as --image {IMAGE} {arguments} -- echo"
        ))
    }

    /// Has the user linger.
    pub(crate) fn linger(&self) {
        self.root("loginctl enable-linger web && systemctl start user@$(id -u web).service")
            .text();
    }

    pub(crate) fn make_image(&self) {
        self.root(&format!(
            "tar -C /usr/bin -c podseal | as_web podman import --quiet \
             --change 'ENTRYPOINT [\"/podseal\"]' - {IMAGE}"
        ))
        .text();
    }

    pub(crate) fn assert_served(&self) {
        for host in ["127.0.0.1", "::1"] {
            let heard = self.root(&format!("talk {host}"));
            let journal = "journalctl --sync; journalctl --boot --no-pager --output=cat \
                           --unit=run-as.service --unit=run-as.socket";
            assert_eq!(heard.stdout, "hello\n", "{}", self.root(journal).stdout);
        }
    }

    pub(crate) fn remove(&self) {
        self.root(
            "podseal down --system --force run-as
             for unit in run-as.socket run-as.service web-session.service; do
                 systemctl stop $unit
             done
             rm -rf /etc/systemd/system/run-as.*; systemctl daemon-reload
             systemctl reset-failed run-as.socket run-as.service
             loginctl disable-linger web && systemctl stop user@$(id -u web).service
             userdel --remove web; true",
        );
    }
}

impl Drop for Web<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

pub(crate) fn expect(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for text in texts {
        assert!(ended.stderr.contains(text), "no {text:?} in {ended:?}");
    }
}
