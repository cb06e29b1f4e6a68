//! What the tasks say. Messages go to stderr: stdout belongs to the programs
//! they run, and to the results of a measurement.

use std::error::Error;
use std::fmt::Display;

/// Announces what comes next.
pub(crate) fn heading(text: impl Display) {
    anstream::eprintln!("==> {text}");
}

/// Adds to the heading before it.
pub(crate) fn note(text: impl Display) {
    anstream::eprintln!("    {text}");
}

/// Reports an error with its causes.
pub(crate) fn error(error: &dyn Error) {
    anstream::eprintln!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        anstream::eprintln!("  caused by: {cause}");
        source = cause.source();
    }
}

/// Prints results.
pub(crate) fn data(text: impl Display) {
    anstream::println!("{text}");
}
