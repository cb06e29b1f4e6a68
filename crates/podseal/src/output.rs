//! The only place that prints: data to standard output, words to standard
//! error.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

pub(crate) use podseal_runtime::chain::chain;

use crate::exit;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Writes data.
///
/// # Errors
/// Standard output takes no more, as when its reader has gone.
pub(crate) fn data(text: impl Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let mut bytes = format!("{text}\n").into_bytes();
    if anstream::AutoStream::choice(&stdout) == anstream::ColorChoice::Never {
        // Without styles, and in one write(2).
        let mut plain = anstream::StripStream::new(Vec::new());
        plain.write_all(&bytes)?;
        bytes = plain.into_inner();
    }
    stdout.write_all(&bytes)?;
    stdout.flush()
}

/// Writes a line for people.
pub(crate) fn note(text: impl Display) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Writes an error with its causes, and what to do about it.
pub(crate) fn error(error: &dyn Error, hint: Option<&str>) {
    note(format_args!("{ERROR}error{ERROR:#}: {}", chain(error)));
    if let Some(hint) = hint {
        note(format_args!("{HINT}hint{HINT:#}: {hint}"));
    }
}

/// The same in one line, as it suits a log that others write to as well.
pub(crate) fn error_line(error: &dyn Error, hint: Option<&str>) {
    let hint = hint.map_or(String::new(), |hint| {
        format!("; {HINT}hint{HINT:#}: {hint}")
    });
    note(format_args!(
        "{ERROR}error{ERROR:#}: {}{hint}",
        chain(error)
    ));
}

/// Writes what should be known and is no error.
pub(crate) fn warning(text: impl Display) {
    note(format_args!("{WARNING}warning{WARNING:#}: {text}"));
}

/// Writes a text as data; the exit status says whether that worked.
pub(crate) fn text(text: &str) -> u8 {
    written(Ok(text.to_owned()))
}

/// Writes `value` as one line of JSON; the exit status says whether that
/// worked.
pub(crate) fn json(value: &impl serde::Serialize) -> u8 {
    written(serde_json::to_string(value))
}

/// Writes data that is the command's whole answer; the exit status says
/// whether that worked.
pub(crate) fn answer(text: impl Display) -> u8 {
    written(Ok(text))
}

/// As [`json`], on many lines, for people to read.
pub(crate) fn json_pretty(value: &impl serde::Serialize) -> u8 {
    written(serde_json::to_string_pretty(value))
}

fn written(text: serde_json::Result<impl Display>) -> u8 {
    match text.map_err(io::Error::other).and_then(data) {
        Ok(()) => exit::SUCCESS,
        // Its reader has seen enough.
        Err(source) if source.kind() == io::ErrorKind::BrokenPipe => exit::FAILURE,
        Err(source) => {
            error(&source, None);
            exit::FAILURE
        }
    }
}
