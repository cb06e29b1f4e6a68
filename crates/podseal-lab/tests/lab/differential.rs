//! `podseal show` against the manager that runs the units: setting by setting,
//! on the conformance tables and on generated units.

mod cases;
mod compare;
mod values;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cases::Case;
use serde_json::Value;

use crate::machine::Machine;

/// How many units are asked for at once: a bound on time is for so many.
const BATCH: usize = 100;

/// What older systemd versions read otherwise than podseal does: the newest
/// that was seen to, a part of the case, and what it is.
const OLDER: &[(u32, &str, &str)] = &[
    (257, "\"|", "a command for the user's shell"),
    (257, "\"vsock:any:1234\"", "a word for every context"),
    (252, "\"vsock:2:4294967295\"", "a number for any port"),
];

const DIRECTORY: &str = ".config/systemd/user";

#[test]
fn show_agrees_with_the_manager() {
    let Some(machine) = Machine::shared("the comparison with a manager") else {
        return;
    };
    let cases = cases::all();
    let files: Vec<(String, &str)> = cases
        .iter()
        .flat_map(|case| &case.files)
        .map(|(path, text)| (format!("{DIRECTORY}/{path}"), text.as_str()))
        .collect();
    // What a run that failed has left would add to these.
    let clean = format!("rm -rf {DIRECTORY}/dt*; systemctl --user daemon-reload");
    machine.user(&clean).text();
    machine.write(&files);
    machine.user("systemctl --user daemon-reload").text();
    let managers = of_the_manager(&machine, &cases);
    let podseals = of_podseal(&machine, &cases);
    machine.user(&clean).text();

    let version = machine.systemd_version();
    let mut report = String::new();
    let mut count = 0;
    let is_older = |case: &&Case| {
        let mut older = OLDER.iter();
        older.any(|(until, part, _)| version <= *until && case.about.contains(part))
    };
    for case in cases.iter().filter(|case| !is_older(case)) {
        let compared = match (managers.get(&case.unit), podseals.get(&case.unit)) {
            (Some(manager), Some(podseal)) => compare::differences(manager, podseal, version),
            (manager, podseal) => vec![format!(
                "known to the manager: {}, to podseal: {}",
                manager.is_some(),
                podseal.is_some()
            )],
        };
        for difference in compared {
            count += 1;
            let _ = writeln!(report, "{}: {difference}", case.about);
        }
    }
    assert!(
        count == 0,
        "systemd {version}, {} units, {count} differences:\n{report}",
        cases.len()
    );
}

/// Every property of each unit, by its name.
fn of_the_manager(machine: &Machine, cases: &[Case]) -> BTreeMap<String, Value> {
    let script = "while read -r path; do busctl --user --json=short call \
                  org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/$path \
                  org.freedesktop.DBus.Properties GetAll s '' || exit; done";
    let mut properties = BTreeMap::new();
    for batch in cases.chunks(BATCH) {
        let paths: String = batch.iter().map(|case| object_path(&case.unit)).collect();
        let ended = machine.user_with(script, paths.as_bytes());
        for (case, line) in batch.iter().zip(ended.text().lines()) {
            let mut answer: Value = serde_json::from_str(line).unwrap();
            properties.insert(case.unit.clone(), answer["data"][0].take());
        }
    }
    properties
}

/// A line with the end of a unit's path, as sd_bus_path_encode(3) makes it.
fn object_path(unit: &str) -> String {
    let mut path = String::new();
    for byte in unit.bytes() {
        let _ = if byte.is_ascii_alphanumeric() {
            write!(path, "{}", char::from(byte))
        } else {
            write!(path, "_{byte:02x}")
        };
    }
    path.push('\n');
    path
}

fn of_podseal(machine: &Machine, cases: &[Case]) -> BTreeMap<String, Value> {
    let script = "xargs -d '\\n' podseal show --format=json";
    let mut views = BTreeMap::new();
    for batch in cases.chunks(BATCH) {
        let names: Vec<&str> = batch.iter().map(|case| case.unit.as_str()).collect();
        let ended = machine.user_with(script, names.join("\n").as_bytes());
        let mut document: Value = serde_json::from_str(ended.text()).unwrap();
        for unit in document["units"].as_array_mut().unwrap() {
            let argument = unit["argument"].as_str().unwrap().to_owned();
            views.insert(argument, unit.take());
        }
    }
    views
}
