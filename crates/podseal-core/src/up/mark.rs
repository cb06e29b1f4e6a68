//! The first lines of a unit file: that `podseal up` wrote it, for which
//! service, and whether it is still as written.

use crate::plan::header::{stamp, stamped};

/// How every unit file of podseal begins, its format's version included.
const MARK: &str = "# podseal up 1: ";

/// Whose a unit file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Podseal's, as it wrote it for the service of this name.
    Ours(String),
    /// Podseal's, and changed since.
    Edited(String),
    /// A file that podseal did not write.
    Foreign,
}

/// A unit file of the service called `name`.
pub(super) fn write(name: &str, body: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let head = format!(
        "{MARK}{name}, by podseal {version}\n\
         # `podseal up` renews it and `podseal down {name}` removes it, but not once it was edited.\n"
    );
    stamp(&head, body)
}

/// Tells whose a file is.
#[must_use]
pub fn read(text: &str) -> Found {
    let name = text
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_once(','));
    match name {
        None => Found::Foreign,
        Some((name, _)) if stamped(text).is_some() => Found::Ours(name.to_owned()),
        Some((name, _)) => Found::Edited(name.to_owned()),
    }
}

/// The part of a file that a section begins, to its end.
#[must_use]
pub fn from_section<'a>(text: &'a str, section: &str) -> &'a str {
    text.find(&format!("\n[{section}]\n"))
        .map_or("", |at| &text[at..])
}
