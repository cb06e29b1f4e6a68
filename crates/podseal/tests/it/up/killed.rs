//! podseal killed at each system call with which it changes files: every file
//! is whole, no service is there without its seal, no socket without its
//! service, and the same command finishes what was begun.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use super::{LISTEN, UP, place, podseal, tree, up, user};
use crate::account::lacking_here;
use crate::fixture::{Ended, Place, output};

const CALLS: &str =
    "rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,symlink,symlinkat,fsync";

const NEW: &[&str] = &["--listen=127.0.0.1:3001", "--env=A=1", "--level=families"];

type Tree = Vec<(String, String)>;

/// Runs podseal, killed at the `step`th of the calls.
fn killed(place: &Place, step: usize, arguments: &[&str]) -> Ended {
    let mut command = place.program("strace");
    command.args(["-o", "/dev/null", "-e"]);
    command.arg(format!("inject={CALLS}:signal=KILL:when={step}"));
    command.arg(place.podseal()).args(arguments);
    output(user(place, &mut command))
}

/// Walks through all steps of a command, and looks at what each leaves; then it
/// is run once more, and has to lead to `after`.
fn walk(place: &Place, prepare: &[&str], arguments: &[&str], old: &Tree, after: &Tree) {
    for step in 1.. {
        clear(place);
        if !prepare.is_empty() {
            podseal(place, prepare).expect(0, &[]);
        }
        let ended = killed(place, step, arguments);
        if ended.status.code() == Some(0) {
            assert!(step > 10, "nothing was changed: {ended:?}");
            return;
        }
        assert_eq!(ended.status.signal(), Some(9), "step {step}: {ended:?}");
        let found = tree(place);
        let left = found.iter().filter(|(name, _)| !is_beside(name));
        let left: Vec<&(String, String)> = left.collect();
        for file in &left {
            assert!(
                old.contains(file) || after.contains(file),
                "step {step}: {file:?}"
            );
        }
        let has = |name: &str| left.iter().find(|(left, _)| left.ends_with(name));
        let [link, socket, service, seal] = [
            "wants/web.socket",
            "user/web.socket",
            "web.service",
            "50-podseal.conf",
        ]
        .map(has);
        for (of, needs) in [(link, socket), (socket, service), (service, seal)] {
            assert!(of.is_none() || needs.is_some(), "step {step}: {left:?}");
        }
        // A new service never has the seal of an old one.
        let is_new =
            |file: Option<&&(String, String)>| file.is_some_and(|file| !old.contains(file));
        if !after.is_empty() {
            assert!(
                !is_new(service) || after.contains(seal.unwrap()),
                "step {step}: {left:?}"
            );
        }
        let ended = podseal(place, arguments);
        let is_gone = after.is_empty() && found.is_empty();
        assert_eq!(
            ended.status.code(),
            Some(i32::from(is_gone)),
            "step {step}: {ended:?}"
        );
        if !is_gone {
            assert_eq!(&tree(place), after, "step {step}");
        }
    }
}

/// Whether a file lies hidden beside the one that is changed.
fn is_beside(name: &str) -> bool {
    name.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with('.'))
}

/// Takes away what is there.
fn clear(place: &Place) {
    let config = place.path("config");
    if config.exists() {
        fs::remove_dir_all(config).unwrap();
    }
}

/// What `podseal up` with these arguments leaves.
fn made(place: &Place, arguments: &[&str]) -> Tree {
    clear(place);
    up(place, arguments).expect(0, &[]);
    tree(place)
}

#[test]
fn every_step() {
    if Command::new("strace").arg("-V").output().is_err() {
        return lacking_here("a kill at every step", "there is no strace");
    }
    let place = place();
    if killed(&place, 1, &["--version"]).status.code() != Some(0) {
        return lacking_here("a kill at every step", "processes cannot be traced");
    }
    let (first, second) = ([UP, &[LISTEN]].concat(), [UP, NEW].concat());
    let (old, new) = (made(&place, &[LISTEN]), made(&place, NEW));
    walk(&place, &[], &first, &Tree::new(), &old);
    walk(&place, &first, &second, &old, &new);
    walk(&place, &first, &["down", "web"], &old, &Tree::new());
}
