//! What `podseal status` says to people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use podseal_core::explain::short::Short;
use podseal_core::status::document::{Document, Unit};
use podseal_core::status::facts::{Socket, State};
use podseal_core::status::{Live, Problem, Report};
use podseal_core::unit::effective::Scope;

use super::processes;

const HEADING: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBT: Style = AnsiColor::Yellow.on_default();

/// Every unit with whose it is.
pub(super) fn report(document: &Document) -> String {
    let mut page = Page::new();
    for manager in &document.systemd {
        let name = match manager.scope {
            Scope::User => "systemd --user",
            Scope::System => "systemd --system",
        };
        group(&mut page, name, &manager.units);
    }
    for run in &document.runs {
        group(&mut page, &format!("run {}", run.name), &run.units);
    }
    page.text
}

fn group(page: &mut Page, name: &str, units: &[Unit]) {
    if units.is_empty() {
        return;
    }
    page.line(&format!("{HEADING}{name}{HEADING:#}:"));
    for unit in units {
        match unit {
            Unit::Socket(unit) => {
                let head = head(&unit.socket.state, &unit.socket.listen, None);
                page.line(&format!("  {head}"));
                let queue = queues(&unit.socket);
                page.field("queue", &queue);
                why(page, unit.why.as_ref());
            }
            Unit::Service(report) => service(page, report),
        }
    }
}

/// The state in one line.
fn head(state: &State, listen: &[String], sealed: Option<String>) -> String {
    let mut parts = vec![format!(
        "{} {} ({})",
        state.unit, state.active_state, state.sub_state
    )];
    if state.result != "success" {
        parts.push(format!("result {}", state.result));
    }
    parts.extend(state.main_pid.map(|pid| format!("main process {pid}")));
    parts.extend(listen.iter().cloned());
    parts.extend(sealed);
    parts.extend(state.job.as_ref().map(|job| format!("to {job}")));
    parts.join(", ")
}

fn service(page: &mut Page, report: &Report) {
    let sealed = match report.sealed {
        Some(true) => format!("{GOOD}sealed{GOOD:#}"),
        Some(false) => format!("{BAD}NOT SEALED{BAD:#}"),
        None => format!("{DOUBT}SEAL NOT SEEN{DOUBT:#}"),
    };
    page.line(&format!("  {}", head(&report.state, &[], Some(sealed))));
    why(page, report.why.as_ref());
    problems(page, &report.problems);
    page.field("files", &promised(report));
    page.field("seen", &seen(report));
    for process in &report.processes {
        page.field("process", &processes::line(process, &report.sockets));
    }
    if let Some(systemd) = &report.systemd {
        let families = &systemd.restrict_address_families;
        let words = [
            format!("RestrictAddressFamilies={families}"),
            format!("NoNewPrivileges={}", yes_or_no(systemd.no_new_privileges)),
            format!(
                "SystemCallArchitectures={}",
                systemd.system_call_architectures
            ),
        ];
        page.field("systemd", &words.join(" "));
    }
    for socket in &report.sockets {
        let head = head(&socket.state, &socket.listen, None);
        let rest: Vec<String> = [queues(socket), accepted(socket)].into();
        let rest = rest.into_iter().filter(|part| !part.is_empty());
        let parts: Vec<String> = std::iter::once(head).chain(rest).collect();
        page.field("socket", &parts.join(", "));
    }
    if let Some(container) = &report.container {
        let mut parts = vec![container.id.get(..12).unwrap_or(&container.id).to_owned()];
        parts.extend(container.name.clone());
        parts.extend(container.image.as_ref().map(|image| format!("of {image}")));
        let digest = container.digest.as_ref().or(container.image_id.as_ref());
        parts.extend(digest.map(|digest| format!("({digest})")));
        page.field("container", &parts.join(" "));
    }
    page.field(
        "activated",
        report.state.activated.as_deref().unwrap_or_default(),
    );
    if report.level.is_some() {
        let risks = report.residual_risks.join("; ");
        page.field("open", &format!("{risks} (SECURITY.md)"));
    }
}

/// Why it failed, where it did.
fn why(page: &mut Page, why: Option<&Short>) {
    let Some(why) = why else {
        return;
    };
    let text = why.to_string();
    let names = std::iter::once("why").chain(std::iter::repeat(""));
    for (name, line) in names.zip(text.lines()) {
        page.field_in(BAD, name, line.trim_start());
    }
}

const fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn problems(page: &mut Page, problems: &[Problem]) {
    let mut rest = problems.iter().peekable();
    while let Some(problem) = rest.next() {
        self::problem(page, problem);
        // One fix for all that it mends.
        if rest.peek().is_none_or(|next| next.fix != problem.fix) {
            page.field("fix", &problem.fix);
        }
    }
}

fn problem(page: &mut Page, problem: &Problem) {
    let style = if problem.is_less { BAD } else { DOUBT };
    page.field_in(
        style,
        "problem",
        &format!("{} [{}]", problem.message, problem.id),
    );
}

fn promised(report: &Report) -> String {
    let mut text = match report.promised_level {
        Some(level) => format!("level {level}"),
        None if !report.lacking.is_empty() => format!(
            "in part what level families is: without {}",
            report.lacking.join(", ")
        ),
        None => "no seal".to_owned(),
    };
    if let Some(drop_in) = &report.drop_in {
        let _ = write!(text, ", {}", drop_in.path);
    }
    text
}

fn seen(report: &Report) -> String {
    match report.live {
        Live::NoProcesses => "no processes".to_owned(),
        Live::Unknown => "nothing: the processes could not be looked at".to_owned(),
        Live::NothingPromised => "not looked for".to_owned(),
        Live::Less => "less than the files say, see above".to_owned(),
        Live::AsPromised => {
            "no_new_privs and system-call filters on every process, and no internet sockets but \
             the service's; Landlock and what the filters do cannot be seen from outside (`podseal \
             verify` tries them)"
                .to_owned()
        }
    }
}

/// How many connections wait, where that can be told.
fn queues(socket: &Socket) -> String {
    let waiting: Vec<u32> = socket.waiting.iter().copied().flatten().collect();
    if waiting.is_empty() {
        String::new()
    } else {
        format!("{} waiting", waiting.iter().sum::<u32>())
    }
}

fn accepted(socket: &Socket) -> String {
    match (socket.accepted, socket.connections) {
        (Some(accepted @ 1..), Some(open)) => format!("{accepted} accepted, {open} open"),
        _ => String::new(),
    }
}

/// Lines of the terminal's width, or of any length where it is none.
struct Page {
    text: String,
    width: usize,
}

/// Where the text of a field begins.
const INDENT: usize = 14;

impl Page {
    fn new() -> Self {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok();
        let width = size.map_or(usize::MAX, |size| size.ws_col.into());
        Self {
            text: String::new(),
            width: if width == 0 {
                usize::MAX
            } else {
                width.max(40)
            },
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A name and what there is of it; nothing where there is nothing.
    fn field(&mut self, name: &str, text: &str) {
        self.field_in(Style::new(), name, text);
    }

    fn field_in(&mut self, style: Style, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let width = INDENT - 5;
        let _ = write!(self.text, "    {style}{name:<width$}{style:#} ");
        let mut column = INDENT;
        for (at, word) in text.split(' ').enumerate() {
            let length = word.chars().count();
            if at > 0 && column.saturating_add(length + 1) > self.width {
                let _ = write!(self.text, "\n{:INDENT$}", "");
                column = INDENT;
            } else if at > 0 {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += length;
        }
        self.text.push('\n');
    }
}
