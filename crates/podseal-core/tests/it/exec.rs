use std::collections::BTreeMap;
use std::fmt::Write as _;

use podseal_core::unit::Effect;
use podseal_core::unit::exec::{ExecLine, parse_exec};
use podseal_core::unit::specifier::Specifiers;

use crate::table::{check_rows, json_text, same};

fn parse(value: &str, unit: &str) -> ExecLine {
    let unit = unit.parse().expect("valid name");
    let host = BTreeMap::new();
    let specifiers = Specifiers {
        unit: &unit,
        fragment: None,
        host: &host,
    };
    parse_exec(value, &specifiers)
}

fn refused(line: &ExecLine) -> bool {
    line.problems.iter().any(|p| p.effect == Effect::Refused)
}

#[test]
fn exec_command_parse() {
    check_rows(
        include_str!("../conformance/exec-command-parse.tsv"),
        |row| {
            let [_comment, value, result, commands] = row else {
                return Err("not four columns".to_owned());
            };
            let line = parse(&json_text(value), "x.service");
            same(&refused(&line), &(*result == "ENOEXEC"))?;
            let found: Vec<serde_json::Value> = line
                .commands
                .iter()
                .map(|command| {
                    serde_json::json!({
                        "path": command.path,
                        "argv0": command.argv.first(),
                        "argv1": command.argv.get(1),
                        "argv2": command.argv.get(2),
                        "ignore_failure": command.prefixes.ignore_failure,
                    })
                })
                .collect();
            let expected: Vec<serde_json::Value> =
                serde_json::from_str(commands).map_err(|e| e.to_string())?;
            same(&found, &expected)
        },
    );
}

#[test]
fn exec_lines_observed() {
    let table = include_str!("../conformance/exec-lines-observed.tsv");
    check_rows(table, |row| {
        let [value, load_state, shown] = row else {
            return Err("not three columns".to_owned());
        };
        // A backslash at the end of a value continues the line in a file.
        let value = json_text(value);
        let value = value.strip_suffix('\\').unwrap_or(&value);
        let line = parse(value, "ex050.service");
        // A service without any command is refused as well.
        let loaded = !refused(&line) && !line.commands.is_empty();
        same(&loaded, &(*load_state == "loaded"))?;
        let mut found = String::new();
        for command in line.commands.iter().filter(|_| loaded) {
            let ignore = if command.prefixes.ignore_failure {
                "yes"
            } else {
                "no"
            };
            write!(
                found,
                "{{ path={} ; argv[]={} ; ignore_errors={ignore}}}|",
                command.path,
                command.argv.join(" ")
            )
            .map_err(|e| e.to_string())?;
        }
        same(found.as_str(), shown)
    });
}
