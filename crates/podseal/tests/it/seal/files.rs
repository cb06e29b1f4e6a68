//! What `podseal seal` does to files, and what it leaves when it fails.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;

use super::{RUN, UNITS, command, drop_in, podseal, unit};
use crate::account::{lacking_here, normal_user};
use crate::fixture::{Place, output};

/// All names below the units, and what is in the files.
fn tree(place: &Place) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut directories = vec![place.path(UNITS)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path.clone());
            }
            found.push((
                path.display().to_string(),
                fs::read_to_string(&path).unwrap_or_default(),
            ));
        }
    }
    found.sort();
    found
}

/// A systemctl that answers `reload` to daemon-reload, and has read `dropins`.
fn systemctl(place: &Place, reload: u8, dropins: &str, running: &str) -> String {
    let bin = place.path("bin");
    fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> {}\ncase \"$*\" in\n*daemon-reload*) echo no reload >&2; exit {reload};;\n*DropInPaths*) echo '{dropins}';;\n*list-units*) echo '{running}';;\nesac\n",
        place.text("calls"),
    );
    fs::write(bin.join("systemctl"), script).unwrap();
    fs::set_permissions(bin.join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", bin.display())
}

#[test]
fn a_dry_run_prints_a_diff_and_changes_nothing() {
    let place = Place::new();
    unit(&place, "web.service", RUN);
    let before = tree(&place);
    let ended = podseal(&place, &["seal", "--dry-run", "web"]);
    ended.expect(0, &[]);
    let path = drop_in(&place, "web.service");
    assert!(
        ended
            .stdout
            .starts_with(&format!("--- /dev/null\n+++ {path}\n")),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("\n+NoNewPrivileges=yes\n"),
        "{}",
        ended.stdout
    );
    assert_eq!(tree(&place), before);

    podseal(&place, &["seal", "web"]).expect(0, &[]);
    let before = tree(&place);
    let ended = podseal(&place, &["seal", "--dry-run", "--level=families", "web"]);
    ended.expect(0, &[]);
    assert!(ended.stdout.contains("\n-ExecStart=\n"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("\n SystemCallArchitectures=native\n"),
        "{}",
        ended.stdout
    );
    let ended = podseal(&place, &["unseal", "--dry-run", "web"]);
    assert!(
        ended.stdout.contains("\n+++ /dev/null\n"),
        "{}",
        ended.stdout
    );
    assert_eq!(tree(&place), before);
}

#[test]
fn files_of_others_and_edited_ones_stay() {
    let place = Place::new();
    unit(&place, "web.service", RUN);
    unit(
        &place,
        "web.service.d/50-podseal.conf",
        "[Service]\nUMask=0\n",
    );
    let before = tree(&place);
    let foreign = ["podseal did not write", "50-podseal.conf", "hint: "];
    podseal(&place, &["seal", "web"]).expect(1, &foreign);
    podseal(&place, &["unseal", "web"]).expect(1, &foreign);
    podseal(&place, &["unseal", "--force", "web"]).expect(1, &foreign);
    assert_eq!(tree(&place), before);
    podseal(&place, &["seal", "--force", "web"]).expect(0, &["sealed"]);

    let path = drop_in(&place, "web.service");
    let edited = fs::read_to_string(&path).unwrap() + "UMask=0\n";
    fs::write(&path, edited).unwrap();
    let before = tree(&place);
    podseal(&place, &["seal", "web"]).expect(1, &["was edited since podseal wrote it", "--force"]);
    podseal(&place, &["unseal", "web"]).expect(1, &["was edited since podseal wrote it"]);
    assert_eq!(tree(&place), before);
    podseal(&place, &["unseal", "--force", "web"]).expect(0, &["unsealed"]);
    assert!(!place.path(&format!("{UNITS}/web.service.d")).exists());
}

#[test]
fn a_seal_is_renewed_when_its_base_has_changed() {
    let place = Place::new();
    unit(&place, "web.service", RUN);
    let is_stale = || {
        podseal(&place, &["check", "web"])
            .stdout
            .contains("[seal-stale]")
    };
    podseal(&place, &["seal", "web"]).expect(0, &["sealed"]);
    assert!(!is_stale());
    unit(&place, "web.service", &RUN.replace(" x\n", " y\n"));
    assert!(is_stale());
    podseal(&place, &["seal", "web"]).expect(0, &["sealed web.service"]);
    assert!(!is_stale());
    let text = fs::read_to_string(drop_in(&place, "web.service")).unwrap();
    assert!(text.ends_with(" y\n"), "{text}");
    // Without its unit the seal can still be taken off.
    fs::remove_file(place.path(&format!("{UNITS}/web.service"))).unwrap();
    podseal(&place, &["unseal", "web"]).expect(0, &["unsealed web.service"]);
    assert_eq!(tree(&place), []);
}

#[test]
fn several_are_sealed_together_or_not_at_all() {
    let place = Place::new();
    for name in ["a", "b"] {
        unit(&place, &format!("{name}.service"), RUN);
    }
    unit(&place, "c.service", &RUN.replace("none", "host"));
    let before = tree(&place);
    podseal(&place, &["seal", "a", "b", "c"]).expect(1, &["network-not-none"]);
    podseal(&place, &["seal", "a", "none", "b"]).expect(1, &["none.service"]);
    assert_eq!(tree(&place), before);
    // The second is refused by the file system, after the first is ready.
    for make in [
        |path: &str| fs::create_dir_all(path),
        |path: &str| {
            fs::create_dir_all(path.rsplit_once('/').unwrap().0)?;
            symlink("/nonexistent", path)
        },
        |path: &str| fs::write(path.rsplit_once('/').unwrap().0, ""),
    ] {
        let path = drop_in(&place, "b.service");
        let directory = path.rsplit_once('/').unwrap().0;
        make(&path).unwrap();
        let before = tree(&place);
        let ended = podseal(&place, &["seal", "--force", "a", "b"]);
        ended.expect(1, &["error: "]);
        assert_eq!(tree(&place), before);
        if fs::remove_dir_all(directory).is_err() {
            fs::remove_file(directory).unwrap();
        }
    }
    podseal(&place, &["seal", "a", "a.service", "b"]).expect(0, &["a.service", "b.service"]);
    podseal(&place, &["unseal", "a", "b"]).expect(0, &["a.service", "b.service"]);
    assert_eq!(tree(&place), before);
}

#[test]
fn directories_that_cannot_be_written() {
    let place = Place::of(normal_user());
    unit(&place, "web.service", RUN);
    let before = tree(&place);
    let mode = |mode| fs::set_permissions(place.path(UNITS), fs::Permissions::from_mode(mode));
    mode(0o555).unwrap();
    let ended = podseal(&place, &["seal", "web"]);
    mode(0o755).unwrap();
    ended.expect(
        1,
        &["cannot make the directory", "Permission denied", "hint: "],
    );
    assert_eq!(tree(&place), before);
}

#[test]
fn what_the_manager_says_counts() {
    let place = Place::new();
    unit(&place, "web.service", RUN);
    let before = tree(&place);
    let path = drop_in(&place, "web.service");
    let seal = |search: String| output(command(&place, &["seal", "web"]).env("PATH", search));
    let ended = seal(systemctl(&place, 1, "", ""));
    ended.expect(
        1,
        &["could not be made to read its units again", "no reload"],
    );
    assert_eq!(tree(&place), before);
    let ended = seal(systemctl(&place, 0, "/elsewhere/50-podseal.conf", ""));
    ended.expect(
        1,
        &[&format!("systemd does not read {path} for web.service")],
    );
    assert_eq!(tree(&place), before);
    let dropins = format!("/x/10-a.conf {path}");
    let ended = seal(systemctl(
        &place,
        0,
        &dropins,
        "web.service loaded active running x",
    ));
    ended.expect(
        0,
        &["sealed web.service", "systemctl --user restart web.service"],
    );
    let calls = fs::read_to_string(place.path("calls")).unwrap();
    assert!(
        calls.contains("--user --no-pager daemon-reload\n"),
        "{calls}"
    );
    // Nor is it sealed while the manager does not know of it.
    let ended = seal(systemctl(&place, 0, "", ""));
    ended.expect(1, &["systemd does not read"]);
    let ended = seal(systemctl(&place, 0, &path, "web.service"));
    ended.expect(0, &["already"]);
    assert!(!ended.stderr.contains("restart"), "{}", ended.stderr);
}

/// systemctl(1) is what podseal waits for between changing files and being done.
#[test]
fn a_kill_leaves_the_old_file_or_the_new_one() {
    let place = Place::new();
    unit(&place, "web.service", RUN);
    let path = drop_in(&place, "web.service");
    let killed_at = |step: &str, arguments: &[&str]| {
        let search = systemctl(&place, 0, "", "");
        let script = format!("#!/bin/sh\ncase \"$*\" in *{step}*) kill -9 $PPID;; esac\n");
        fs::write(place.path("bin/systemctl"), script).unwrap();
        let ended = output(command(&place, arguments).env("PATH", search));
        assert_eq!(ended.status.signal(), Some(9), "{ended:?}");
        fs::read_to_string(&path).ok()
    };
    let [standard, families] = ["standard", "families"].map(|level| {
        podseal(&place, &["seal", &format!("--level={level}"), "web"]).expect(0, &[]);
        fs::read_to_string(&path).unwrap()
    });
    podseal(&place, &["unseal", "web"]).expect(0, &[]);
    let before = tree(&place);

    let seal = ["seal", "web"];
    assert_eq!(killed_at("Version", &seal), None);
    assert_eq!(killed_at("daemon-reload", &seal).as_ref(), Some(&standard));
    let weaker = ["seal", "--level=families", "web"];
    assert_eq!(killed_at("Version", &weaker), Some(standard));
    assert_eq!(
        killed_at("daemon-reload", &weaker).as_ref(),
        Some(&families)
    );
    assert_eq!(killed_at("Version", &["unseal", "web"]), Some(families));
    assert_eq!(killed_at("daemon-reload", &["unseal", "web"]), None);
    // What was left is no hindrance, and goes with the next seal.
    podseal(&place, &["seal", "web"]).expect(0, &["sealed"]);
    podseal(&place, &["unseal", "web"]).expect(0, &["unsealed"]);
    assert_eq!(tree(&place), before);
}

#[test]
fn a_full_file_system() {
    let place = Place::new();
    fs::create_dir(place.path("full")).unwrap();
    fs::write(place.path("web.service"), RUN).unwrap();
    let script = "mount -t tmpfs -o size=16k tmpfs full && cp web.service full/ || exit 99
        cat /dev/zero > full/fill 2> /dev/null
        $PODSEAL seal full/web.service; status=$?
        ls -a full/web.service.d 2>/dev/null && exit 98
        exit $status";
    let mut command = place.program("unshare");
    command.args(["--mount", "sh", "-c", script]);
    let ended = output(command.env("PODSEAL", place.podseal()));
    if !matches!(ended.status.code(), Some(0 | 1 | 98)) {
        return lacking_here("a full file system", "nothing may be mounted");
    }
    ended.expect(1, &["cannot write ", "No space left", "hint: make room"]);
}
