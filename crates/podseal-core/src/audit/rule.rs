//! What a rule is.

use super::Severity;
use super::fix::FixSetting;
use super::place::Place;
use super::subject::{Container, Set, SocketUnit, Subject};

/// One rule of the audit.
#[derive(Debug)]
pub struct Rule {
    /// Its name, which stays: in kebab-case.
    pub id: &'static str,
    /// How much its findings matter.
    pub severity: Severity,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Why it matters: whole sentences.
    pub why: &'static str,
    /// What to do: a fragment in the imperative.
    pub fix: &'static str,
    /// Manual pages and documents to read.
    pub references: &'static [&'static str],
    /// What the rule finds.
    pub bad: Example,
    /// What it does not.
    pub good: Example,
    /// The function that looks.
    pub check: Check,
}

/// Lines that, put into one of the example units in place of the lines with the
/// same keys, bring out a finding or take it away.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The name of the unit.
    pub unit: &'static str,
    /// The lines.
    pub lines: &'static str,
}

/// Which units a rule is for, and how it looks at one.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Services that start a container.
    Container(fn(&Container<'_>) -> Vec<Fault>),
    /// Socket units.
    Socket(fn(&SocketUnit<'_>) -> Vec<Fault>),
    /// All units.
    Unit(fn(&Set, &Subject) -> Vec<Fault>),
    /// The comments that ignore findings; see [`super::ignore`].
    Comment,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Option<Place>,
    /// A lowercase fragment.
    pub message: String,
    /// What to do, where it is more than the rule's own words.
    pub fix: Option<String>,
    /// What a drop-in could set.
    pub settings: Vec<FixSetting>,
}

impl Fault {
    /// A fault at a place.
    pub(super) fn at(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
            fix: None,
            settings: Vec::new(),
        }
    }

    /// Says what to do here.
    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds a setting for a drop-in.
    pub(super) fn set(mut self, section: &'static str, key: &'static str, value: &str) -> Self {
        self.settings.push(FixSetting {
            section,
            key,
            value: value.to_owned(),
        });
        self
    }
}

/// No fault, or one.
pub(super) fn when(is_wrong: bool, fault: impl FnOnce() -> Fault) -> Vec<Fault> {
    is_wrong.then(fault).into_iter().collect()
}
