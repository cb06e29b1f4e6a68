//! `podseal check --fix`: the drop-in that takes findings away.

use super::Finding;
use crate::unit::file::UnitFile;

/// The name of the drop-in. It is read late, so that what others set before it
/// does not undo it.
pub const DROP_IN: &str = "90-podseal-check.conf";

/// How the drop-in begins: a file of the same name that does not is somebody
/// else's.
pub const MARK: &str = "# Written by podseal check --fix.";

/// A setting of a drop-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixSetting {
    /// The section.
    pub section: &'static str,
    /// The key.
    pub key: &'static str,
    /// The value; an empty one resets a list.
    pub value: String,
}

/// The drop-in for one unit: what is there already, and the settings of the
/// findings that count. `None` where there is nothing to add.
#[must_use]
pub fn drop_in(existing: Option<&str>, findings: &[Finding]) -> Option<String> {
    let mut text = existing.map_or_else(
        || format!("{MARK}\n# It may be edited or removed; podseal only adds to it.\n"),
        str::to_owned,
    );
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let mut written: Vec<&[FixSetting]> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.counts()) {
        let settings = finding.settings.as_slice();
        // Several rules may ask for the same.
        if settings.is_empty() || written.contains(&settings) {
            continue;
        }
        written.push(settings);
        text.push_str("\n# ");
        text.push_str(finding.rule.id);
        text.push('\n');
        let mut section = "";
        for setting in settings {
            if setting.section != section {
                section = setting.section;
                text.extend(["[", section, "]\n"]);
            }
            text.extend([setting.key, "=", &setting.value, "\n"]);
        }
    }
    (!written.is_empty()).then_some(text)
}

/// Whether a file is a drop-in that podseal may add to.
#[must_use]
pub fn is_ours(text: &str) -> bool {
    text.starts_with(MARK) && UnitFile::parse(text).refusal().is_none()
}
