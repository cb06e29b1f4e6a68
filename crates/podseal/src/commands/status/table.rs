//! The table of `podseal list`.

use comfy_table::{ContentArrangement, Table};
use podseal_core::status::document::{Document, Unit};
use podseal_core::status::facts::Socket;
use podseal_core::status::{Live, Report};
use podseal_core::unit::effective::Scope;

/// A row for each service. None where there is no service.
pub(super) fn services(document: &Document) -> Option<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["SERVICE", "MANAGER", "LEVEL", "STATE", "SOCKETS"]);
    let mut count = 0;
    let mut add = |unit: &Unit, manager: &str| {
        if let Unit::Service(report) = unit {
            count += 1;
            table.add_row(row(report, manager));
        }
    };
    for manager in &document.systemd {
        let name = match manager.scope {
            Scope::User => "user",
            Scope::System => "system",
        };
        manager.units.iter().for_each(|unit| add(unit, name));
    }
    for run in &document.runs {
        let name = format!("run {}", run.name);
        run.units.iter().for_each(|unit| add(unit, &name));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    (count > 0).then(|| table.trim_fmt())
}

fn row(report: &Report, manager: &str) -> [String; 5] {
    let state = &report.state;
    let sockets: Vec<String> = report.sockets.iter().map(socket).collect();
    [
        state.unit.clone(),
        manager.to_owned(),
        level(report),
        format!("{} ({})", state.active_state, state.sub_state),
        sockets.join("\n"),
    ]
}

/// The level in a word or two: never one that the processes speak against.
fn level(report: &Report) -> String {
    match (report.level, report.live) {
        (Some(level), _) => level.to_string(),
        (None, Live::Less) => "NOT SEALED".to_owned(),
        (None, Live::Unknown) if report.promised_level.is_some() => "not seen".to_owned(),
        (None, _) if !report.lacking.is_empty() => "in part".to_owned(),
        (None, _) => "unsealed".to_owned(),
    }
}

fn socket(socket: &Socket) -> String {
    let addresses = if socket.listen.is_empty() {
        socket.state.unit.clone()
    } else {
        socket.listen.join(" ")
    };
    format!("{addresses} ({})", socket.state.sub_state)
}
