//! The units that are compared: the conformance tables, and every setting with
//! its values, alone, before a drop-in and reset by one.

use std::slice;

use super::values::{SERVICE, SOCKET, Settings};

/// A unit and its files.
pub(super) struct Case {
    /// What a report calls it.
    pub(super) about: String,
    pub(super) unit: String,
    /// Paths below the manager's directory, and texts.
    pub(super) files: Vec<(String, String)>,
}

/// All cases, in the same order every time.
pub(super) fn all() -> Vec<Case> {
    let mut made = Made::default();
    made.settings("service", "[Service]\nExecStart=/bin/true\n", SERVICE);
    made.settings("socket", "[Socket]\nListenStream=%t/first.sock\n", SOCKET);
    made.tables();
    made.places();
    made.cases
}

#[derive(Default)]
struct Made {
    cases: Vec<Case>,
}

impl Made {
    /// Adds a unit with drop-ins.
    fn add(&mut self, kind: &str, about: &str, texts: &[String]) {
        let unit = format!("dt-{}-x.{kind}", self.cases.len());
        let path = |index: usize| match index {
            0 => unit.clone(),
            _ => format!("{unit}.d/{index}.conf"),
        };
        let files = texts.iter().enumerate();
        let files = files.map(|(index, text)| (path(index), text.clone()));
        self.cases.push(Case {
            about: format!("{unit}: {about}"),
            files: files.collect(),
            unit,
        });
    }

    fn settings(&mut self, kind: &str, base: &str, settings: Settings) {
        for (section, key, values) in settings {
            for (index, value) in values.iter().enumerate() {
                let line = format!("[{section}]\n{key}={value}\n");
                // Far enough away to be of another sort.
                let other = values[(index + values.len() / 2) % values.len()];
                let drop_in = format!("[{section}]\n{key}={other}\n");
                let reset = format!("[{section}]\n{key}=\n{key}={other}\n");
                let fragment = format!("{base}{line}");
                self.add(
                    kind,
                    &format!("{key}={value:?}"),
                    slice::from_ref(&fragment),
                );
                match index % 5 {
                    0 => self.add(
                        kind,
                        &format!("{key}={value:?} {other:?}"),
                        &[fragment, drop_in],
                    ),
                    1 => self.add(
                        kind,
                        &format!("{key}={value:?} \"\" {other:?}"),
                        &[fragment, reset],
                    ),
                    _ => {}
                }
            }
        }
    }

    fn tables(&mut self) {
        let text = |column: &str| serde_json::from_str::<String>(column).unwrap();
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/raf-parse.tsv"
        )) {
            let lines: Vec<String> = serde_json::from_str(row[1]).unwrap();
            let lines = lines
                .iter()
                .map(|line| format!("RestrictAddressFamilies={line}\n"));
            let unit = format!(
                "[Service]\nExecStart=/bin/true\n{}",
                lines.collect::<String>()
            );
            self.add("service", &format!("families {}", row[0]), &[unit]);
        }
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/exec-lines-observed.tsv"
        )) {
            let unit = format!("[Service]\nExecStart={}\n", text(row[0]));
            self.add("service", &format!("command {}", row[0]), &[unit]);
        }
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/exec-command-parse.tsv"
        )) {
            let unit = format!("[Service]\nType=oneshot\nExecStart={}\n", text(row[1]));
            self.add("service", &format!("command {}", row[1]), &[unit]);
        }
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/socket-directives-observed.tsv"
        )) {
            let (key, value) = (row[0], text(row[1]));
            let first = if key.starts_with("Listen") {
                ""
            } else {
                "ListenStream=1\n"
            };
            let unit = format!("[Socket]\n{first}{key}={value}\n");
            self.add("socket", &format!("{key}={value:?}"), &[unit]);
        }
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/time-span.tsv"
        )) {
            if let Ok(value) = serde_json::from_str::<String>(row[0]) {
                let unit = format!("[Service]\nExecStart=/bin/true\nRestartSec={value}\n");
                self.add("service", &format!("time {value:?}"), &[unit]);
            }
        }
    }

    /// Drop-ins in their order, masks, aliases, templates and instances.
    fn places(&mut self) {
        let unit = |name: &str| format!("[Service]\nExecStart=/bin/echo {name} %n %i %I %j %J\n");
        let set = |name: &str| format!("[Service]\nEnvironment=A={name} {name}=1\nRestartSec=2\n");
        let files: &[(&str, String)] = &[
            ("dtp-a-b.service", unit("a")),
            ("dtp-.service.d/10-x.conf", set("a")),
            ("dtp-.service.d/20-y.conf", set("b")),
            ("dtp-a-.service.d/20-y.conf", set("c")),
            ("dtp-a-b.service.d/30-w.conf", set("d")),
            ("dtp-a-b.service.d/05-v.conf", set("e")),
            (
                "dtp-a-b.service.d/50-masked.conf",
                "-> /dev/null".to_owned(),
            ),
            ("dtp-a-b.service.d/60-no.txt", set("f")),
            (
                "dtp-a-b.service.wants/dt-0-x.service",
                "-> ../dt-0-x.service".to_owned(),
            ),
            (
                "dtp-a-b.service.wants/dtt@.service",
                "-> ../dtt@.service".to_owned(),
            ),
            (
                "dtp-a-.service.requires/dt-1-x.service",
                "-> ../dt-1-x.service".to_owned(),
            ),
            (
                "dtp-.service.requires/dt-2-x.service",
                "-> ../dt-2-x.service".to_owned(),
            ),
            (
                "dtp-a-b.service.requires/dt-2-x.service",
                "-> /dev/null".to_owned(),
            ),
            ("dtm.service", "-> /dev/null".to_owned()),
            ("dte.service", String::new()),
            ("dtt@.service", unit("t")),
            ("dtt@.service.d/1.conf", set("t")),
            ("dtt@one.service.d/2.conf", set("u")),
            ("dtt@two.service", unit("two")),
        ];
        let mut files: Vec<_> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.clone()))
            .collect();
        for name in [
            "dtp-a-b.service",
            "dtm.service",
            "dte.service",
            "dtt@one.service",
            "dtt@two.service",
            "dtt@a-b.service",
            "dtt@a\\x2db.service",
            "dtt@a@b.service",
        ] {
            self.cases.push(Case {
                about: name.to_owned(),
                unit: name.to_owned(),
                files: std::mem::take(&mut files),
            });
        }
    }
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().skip(1).map(|line| line.split('\t').collect())
}
