//! The only place that prints: data to standard output, words to standard
//! error.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::exit;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Writes data.
///
/// # Errors
/// Standard output takes no more, as when its reader has gone.
pub(crate) fn data(text: impl Display) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Writes a line for people.
pub(crate) fn note(text: impl Display) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Writes an error with its causes, and what to do about it.
pub(crate) fn error(error: &dyn Error, hint: Option<&str>) {
    let mut text = format!("{ERROR}error{ERROR:#}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    note(text);
    if let Some(hint) = hint {
        note(format_args!("{HINT}hint{HINT:#}: {hint}"));
    }
}

/// Writes `value` as one line of JSON; the exit status says whether that
/// worked.
pub(crate) fn json(value: &impl serde::Serialize) -> u8 {
    let result = serde_json::to_string(value)
        .map_err(io::Error::other)
        .and_then(data);
    match result {
        Ok(()) => exit::SUCCESS,
        Err(source) => {
            error(&source, None);
            exit::FAILURE
        }
    }
}
