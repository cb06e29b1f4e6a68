//! What would change in files.

use std::fmt::Write as _;
use std::path::Path;

use similar::TextDiff;

/// Changes of files as `diff -u` writes them: the path, what is there, and what
/// will be.
pub(super) fn unified<'a>(
    changes: impl IntoIterator<Item = (&'a Path, Option<&'a str>, Option<&'a str>)>,
) -> String {
    let mut text = String::new();
    for (path, before, after) in changes {
        let path = path.display().to_string();
        let [old, new] = [before, after].map(|side| {
            let name = side.map_or("/dev/null", |_| path.as_str());
            (name, side.unwrap_or_default())
        });
        let diff = TextDiff::from_lines(old.1, new.1);
        // Writing to a string does not fail.
        let _ = write!(text, "{}", diff.unified_diff().header(old.0, new.0));
    }
    text.truncate(text.trim_end().len());
    text
}
