//! How services are, for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use podseal_core::status::document::{Document, Report, Run, RunUnit, SocketUnit};
use podseal_core::status::{Process, Role, Seal};

const NAME: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const DOUBT: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// One line for each service.
pub(super) fn list(document: &Document) -> String {
    let mut rows = Vec::new();
    for report in &document.services {
        let state = report.state.as_ref();
        let addresses = report.sockets.iter().flat_map(|socket| &socket.listen);
        let sockets = report.sockets.iter().filter_map(|s| s.active.as_deref());
        rows.push([
            report.unit.clone(),
            report.seal.name().to_owned(),
            state.map_or("-", |state| &state.active).to_owned(),
            joined(sockets),
            joined(addresses.map(String::as_str)),
        ]);
    }
    for run in &document.runs {
        let services = run.units.iter().filter(|unit| unit.sealed.is_some());
        let sockets = || run.units.iter().filter(|unit| unit.sealed.is_none());
        for unit in services {
            let sealed = if unit.sealed == Some(true) {
                "sealed"
            } else {
                "none"
            };
            rows.push([
                format!("{} (run {})", unit.unit, run.name),
                sealed.to_owned(),
                unit.active_state.clone(),
                joined(sockets().map(|socket| socket.active_state.as_str())),
                joined(
                    sockets()
                        .flat_map(|socket| &socket.listen)
                        .map(String::as_str),
                ),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    table(
        ["SERVICE", "SEAL", "STATE", "SOCKET", "ADDRESSES"],
        &rows,
        "",
    )
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut words: Vec<&str> = words.collect();
    words.dedup();
    if words.is_empty() {
        return "-".to_owned();
    }
    words.join(", ")
}

/// Columns as wide as their widest word, behind an indent.
fn table<const N: usize>(head: [&str; N], rows: &[[String; N]], indent: &str) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let line = |cells: [&str; N]| {
        let mut line = indent.to_owned();
        for (column, cell) in cells.iter().enumerate() {
            let _ = write!(line, "{cell:<width$}  ", width = width(column));
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line(head);
    text.extend(
        rows.iter()
            .map(|row| line(row.each_ref().map(String::as_str))),
    );
    text
}

/// A paragraph for each service.
pub(super) fn status(document: &Document) -> String {
    let mut text = String::new();
    for report in &document.services {
        service(&mut text, report);
    }
    for run in &document.runs {
        self::run(&mut text, run);
    }
    text
}

fn service(text: &mut String, report: &Report) {
    let seal = match &report.seal {
        Seal::DropIn { level, .. } => format!("{GOOD}seal: level {level}{GOOD:#}"),
        Seal::Stale { .. } => format!("{BAD}seal: STALE{BAD:#}"),
        Seal::ByHand { lacking } if lacking.is_empty() => {
            format!("{GOOD}seal: by hand, as level families{GOOD:#}")
        }
        Seal::ByHand { .. } => format!("{DOUBT}seal: by hand, with gaps{DOUBT:#}"),
        Seal::None => format!("{BAD}NOT SEALED{BAD:#}"),
    };
    let _ = writeln!(text, "{NAME}{}{NAME:#}, {seal}", report.unit);
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "  {key:<10} {value}");
    };
    match &report.seal {
        Seal::DropIn { path, .. } => line("drop-in", path),
        Seal::Stale { path, why } => line("drop-in", &format!("{path}: {why}")),
        Seal::ByHand { lacking } if !lacking.is_empty() => line("lacks", &lacking.join(", ")),
        Seal::ByHand { .. } | Seal::None => {}
    }
    if let Some(state) = &report.state {
        let mut words = format!("{} ({})", state.active, state.sub);
        if state.result != "success" && !state.result.is_empty() {
            let _ = write!(words, ", {BAD}result {}{BAD:#}", state.result);
        }
        if let (Some(since), "active") = (&state.since, state.active.as_str()) {
            let _ = write!(words, ", started {since}");
        }
        line("state", &words);
    }
    for unit in &report.sockets {
        line("socket", &socket(unit));
    }
    for container in &report.containers {
        let image = container.image.as_deref().unwrap_or("unknown to Podman");
        let digest = container.digest.as_deref().unwrap_or("-");
        line("image", &format!("{image}, {digest}"));
    }
    seen(text, &report.processes, &report.shortfalls);
    if let Some(risk) = report.residual_risk {
        let _ = writeln!(text, "  {:<10} {risk}", "open");
    }
    hints(text, report);
    text.push('\n');
}

fn hints(text: &mut String, report: &Report) {
    let mut hint = |words: &str| {
        let _ = writeln!(text, "  {:<10} {words}", "hint");
    };
    let name = report.unit.trim_end_matches(".service");
    let failed = |state: Option<&str>| state == Some("failed");
    let state = report.state.as_ref().map(|state| state.active.as_str());
    if failed(state) || report.sockets.iter().any(|s| failed(s.active.as_deref())) {
        hint(&format!("`podseal explain {name}` says why it failed"));
    }
    match &report.seal {
        Seal::Stale { .. } => hint(&format!("`podseal seal {name}` renews the seal")),
        Seal::DropIn { level, .. } if level != "families" && !report.processes.is_empty() => {
            hint(&format!(
                "Landlock cannot be seen from outside; `podseal verify {name}` tries it"
            ));
        }
        _ => {}
    }
}

fn socket(unit: &SocketUnit) -> String {
    let mut words = unit.unit.clone();
    if let (Some(active), Some(sub)) = (&unit.active, &unit.sub) {
        let _ = write!(words, " {active} ({sub})");
    }
    if let Some(result) = unit
        .result
        .as_deref()
        .filter(|r| !matches!(*r, "success" | ""))
    {
        let _ = write!(words, ", {BAD}result {result}{BAD:#}");
    }
    if let Some(enabled) = &unit.enabled {
        let _ = write!(words, ", {enabled}");
    }
    let _ = write!(words, ": {}", unit.listen.join(", "));
    match unit.waiting {
        None | Some(0) => {}
        Some(count) => {
            let _ = write!(words, "; {DOUBT}{count} waiting to be accepted{DOUBT:#}");
        }
    }
    words
}

/// What the processes show.
fn seen(text: &mut String, processes: &[Process], shortfalls: &[String]) {
    let mut rows = Vec::new();
    for process in processes {
        let own = |own: Option<bool>| match own {
            Some(true) => "own",
            Some(false) => "host",
            None => "?",
        };
        let sockets = match &process.sockets {
            None => "?".to_owned(),
            Some(sockets) if sockets.is_empty() => "-".to_owned(),
            Some(sockets) => sockets
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        };
        rows.push([
            process.pid.to_string(),
            process.name.clone(),
            role(process.role).to_owned(),
            if process.no_new_privs { "yes" } else { "no" }.to_owned(),
            process.seccomp_filters.to_string(),
            own(process.own_user_namespace).to_owned(),
            own(process.own_network).to_owned(),
            sockets,
        ]);
    }
    if !rows.is_empty() {
        let head = [
            "PID",
            "NAME",
            "ROLE",
            "NO-NEW-PRIVS",
            "FILTERS",
            "USERNS",
            "NETWORK",
            "HOST SOCKETS",
        ];
        text.push_str(&table(head, &rows, "  "));
    }
    for shortfall in shortfalls {
        let _ = writeln!(text, "  {BAD}LESS THAN ITS SEAL{BAD:#}: {shortfall}");
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Launch => "launch",
        Role::Conmon => "conmon",
        Role::Container => "container",
        Role::Pause => "pause",
    }
}

fn run(text: &mut String, run: &Run) {
    let _ = writeln!(text, "run {}:", run.name);
    for unit in &run.units {
        let _ = writeln!(text, "  {}", run_unit(unit));
        seen(text, &unit.processes, &unit.shortfalls);
    }
}

fn run_unit(unit: &RunUnit) -> String {
    let mut parts = vec![format!(
        "{} {} ({})",
        unit.unit, unit.active_state, unit.sub_state
    )];
    if unit.result != "success" {
        parts.push(format!("result {}", unit.result));
    }
    parts.extend(unit.main_pid.map(|pid| format!("main process {pid}")));
    parts.extend(unit.listen.iter().cloned());
    let sealed = unit.sealed;
    parts.extend(sealed.map(|sealed| if sealed { "sealed" } else { "NOT SEALED" }.to_owned()));
    parts.extend(unit.job.as_ref().map(|job| format!("to {job}")));
    parts.join(", ")
}
