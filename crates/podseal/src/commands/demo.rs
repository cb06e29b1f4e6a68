//! `podseal demo`

use std::fmt::Write as _;
use std::io;

use anstyle::Style;
use comfy_table::{Attribute, Cell, Color, Table};
use podseal_core::policy::level::Level;
use podseal_core::probe::{Outcome, Probe, Verdict};
use podseal_runtime::command::CommandLine;
use podseal_runtime::demo::{Demo as Story, DemoError, IMAGE, Row};
use podseal_runtime::signals;

use crate::cli::Demo;
use crate::{exit, output};

const STEP: Style = Style::new().bold();

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Story(#[from] DemoError),
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
    #[error("cannot catch signals")]
    Signals(#[source] io::Error),
}

pub(super) fn run(arguments: &Demo) -> u8 {
    match tell(arguments) {
        Ok(true) => exit::SUCCESS,
        Ok(false) => exit::FAILURE,
        Err(error) => {
            let hint = match &error {
                Error::Story(error) => error.hint(),
                Error::Output(_) | Error::Signals(_) => None,
            };
            output::error(&error, hint.as_deref());
            exit::FAILURE
        }
    }
}

/// Tells the story; true when everything went as promised.
fn tell(arguments: &Demo) -> Result<bool, Error> {
    let end_wanted = signals::any_end_wanted().map_err(Error::Signals)?;
    step(
        1,
        "make an image of podseal's own executable, without a registry",
    )?;
    let story = Story::prepare(end_wanted)?;
    for failure in &story.oci_runtime().failures {
        let path = failure.path.display();
        output::data(format_args!(
            "   {path} does not work here: {}",
            failure.message
        ))?;
    }
    let runtime = story.oci_runtime().path.display();
    output::data(format_args!("   {IMAGE}, run by {runtime}"))?;

    step(
        2,
        "run it sealed, and talk to it through the socket it is handed",
    )?;
    let port = Story::free_port()?;
    command(&story, port, "never")?;
    let mut service = story.start(port)?;
    let answer = service.say(port, "hello")?;
    let took = answer.after.as_millis();
    output::data(format_args!(
        "   said: hello, heard: {} ({took} ms, container start included)",
        answer.text
    ))?;
    let stopped = service.stop()?;
    let echoed = answer.text == "hello" && stopped == podseal_core::lifecycle::Exit::Code(0);

    step(
        3,
        "let the same container ask a registry for its image: the seal forbids it",
    )?;
    let port = Story::free_port()?;
    command(&story, port, "always")?;
    let said = story.pull_always(port)?;
    let refused = explanation(&said)?;

    step(4, "try every way out, without a seal and under each level")?;
    let rows = story.probe(arguments.all)?;
    output::data(table(&rows))?;
    output::data("")?;
    output::data(legend())?;

    if arguments.keep {
        step(5, "keep it running until Ctrl-C")?;
        let port = Story::free_port()?;
        command(&story, port, "never")?;
        let service = story.start(port)?;
        output::data(format_args!(
            "   talk to it, for example: echo hello | nc 127.0.0.1 {port}"
        ))?;
        story.wait_for_signal()?;
        drop(service);
    }
    Ok(echoed && refused && rows.iter().all(Row::is_as_promised))
}

fn step(number: u32, title: &str) -> io::Result<()> {
    output::data(format_args!("{STEP}{number}. {title}{STEP:#}"))
}

fn command(story: &Story, port: u16, pull: &str) -> io::Result<()> {
    let line = CommandLine::new(&story.run_command(port, pull));
    output::data(format_args!("   $ {line}"))
}

/// Shows why the service could not start, and that it gave up; true when the
/// reason is the expected one.
fn explanation(said: &str) -> io::Result<bool> {
    let mut reasons: Vec<&str> = Vec::new();
    for line in said.lines().filter(|line| {
        ["why: ", "podman: ", "fix: ", "no longer listening"]
            .iter()
            .any(|word| line.contains(word))
    }) {
        if !reasons.contains(&line) {
            reasons.push(line);
        }
    }
    for line in &reasons {
        output::data(format_args!("   {line}"))?;
    }
    Ok(reasons
        .iter()
        .any(|line| line.contains("address family not supported by protocol")))
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    // Whether colours are shown is decided where the table is printed.
    table.enforce_styling();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    let mut header = vec!["a way out".to_owned()];
    if let Some(row) = rows.first() {
        for (place, finding) in [("host", &row.host), ("container", &row.container)] {
            header.push(format!("{place}:\nunsealed"));
            header.extend(finding.sealed.iter().map(|(level, _)| format!("\n{level}")));
        }
    }
    table.set_header(header);
    for row in rows {
        let mut cells = vec![Cell::new(row.probe.title)];
        for finding in [&row.host, &row.container] {
            let unsealed = match &finding.unsealed {
                Outcome::Succeeded => "open",
                Outcome::Refused { .. } | Outcome::Killed { .. } => "refused",
                Outcome::NotTried { .. } | Outcome::NotStarted { .. } => "n/a",
            };
            cells.push(Cell::new(unsealed));
            cells.extend(
                finding
                    .verdicts()
                    .map(|(level, verdict)| sealed(row.probe, level, verdict)),
            );
        }
        table.add_row(cells);
    }
    table
}

fn sealed(probe: &Probe, level: Level, verdict: Verdict) -> Cell {
    match verdict {
        Verdict::Closed => Cell::new("closed").fg(Color::Green),
        Verdict::Open if probe.is_closed_by(level) => Cell::new("BROKEN")
            .fg(Color::Red)
            .add_attribute(Attribute::Bold),
        Verdict::Open => Cell::new("OPEN").fg(Color::Yellow),
        Verdict::Inconclusive => Cell::new("n/a"),
    }
}

fn legend() -> String {
    let level = Level::default();
    let mut text = String::from(
        "closed: works without a seal, fails under this level.  OPEN: works, as this level lets it.\n\
         BROKEN: works, though this level should close it.\n\
         n/a: does not work without a seal either, so it shows nothing.\n",
    );
    let _ = write!(text, "\nWhat level {level} leaves open:");
    for risk in level.residual_risks() {
        let _ = write!(text, "\n- {risk}");
    }
    text
}
