//! Who runs podseal: the user of the tests, or, where that is root, a normal
//! user that the tests make.

use std::fs;
use std::io::{self, Write as _};
use std::process::Command;
use std::sync::Mutex;

/// Stays on the machine after the tests, with its range of subordinate ids.
const USER: &str = "podseal-test";
/// The same without subordinate ids.
const BARE_USER: &str = "podseal-test-bare";

/// A user other than the one that runs the tests.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

pub(crate) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Says on standard error, past the test harness, that `what` was not tested.
/// Fails where everything is required to be tested.
pub(crate) fn lacking_here(what: &str, lacking: &str) {
    let required = std::env::var("PODSEAL_TEST_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!required, "{what}: not tested, {lacking}");
    let line = format!("SKIPPED: {what}: {lacking}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// For root: a normal user. For a normal user: none, it is one itself.
pub(crate) fn normal_user() -> Option<Account> {
    is_root().then(|| {
        let account = made(USER, &["--create-home"]);
        for (file, option) in [
            ("/etc/subuid", "--add-subuids"),
            ("/etc/subgid", "--add-subgids"),
        ] {
            add_range(file, option);
        }
        account
    })
}

/// A user without subordinate ids, which only root can make.
pub(crate) fn bare_user() -> Account {
    // Programs give ranges to users, not to system users.
    let account = made(BARE_USER, &["--system", "--no-create-home"]);
    for file in ["/etc/subuid", "/etc/subgid"] {
        let ranges = fs::read_to_string(file).unwrap_or_default();
        assert!(!ranges.contains(&format!("{BARE_USER}:")), "{file}");
    }
    account
}

/// One thread at a time looks and adds.
static MAKING: Mutex<()> = Mutex::new(());

fn made(name: &str, options: &[&str]) -> Account {
    let _one_at_a_time = MAKING.lock();
    if let Some(account) = look_up(name) {
        return account;
    }
    // Another test process may be faster, hence the look afterwards.
    let output = Command::new("useradd").args(options).arg(name).output();
    look_up(name).unwrap_or_else(|| panic!("cannot make the user {name}: {output:?}"))
}

fn look_up(name: &str) -> Option<Account> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields[0] == name).then(|| Account {
            name: name.to_owned(),
            uid: fields[2].parse().unwrap(),
            gid: fields[3].parse().unwrap(),
        })
    })
}

fn add_range(file: &str, option: &str) {
    const LENGTH: u64 = 65536;
    let _one_at_a_time = MAKING.lock();
    let ranges = fs::read_to_string(file).unwrap_or_default();
    if ranges
        .lines()
        .any(|line| line.starts_with(&format!("{USER}:")))
    {
        return;
    }
    let ends = ranges.lines().filter_map(|line| {
        let mut numbers = line.split(':').skip(1).map(str::parse::<u64>);
        Some(numbers.next()?.ok()? + numbers.next()?.ok()?)
    });
    let first = ends.max().unwrap_or(0).max(100_000);
    let range = format!("{first}-{}", first + LENGTH - 1);
    let status = Command::new("usermod")
        .args([option, &range, USER])
        .status();
    assert!(status.unwrap().success(), "usermod {option} {range} {USER}");
}
