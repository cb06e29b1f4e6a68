//! What a signature of a failure is.

use super::case::Case;
use super::journal::{Entry, Speaker};

/// One known failure.
#[derive(Debug)]
pub struct Signature {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// The failure in a few words.
    pub title: &'static str,
    /// The versions that have it, where not all do.
    pub versions: Option<&'static str>,
    /// What happened, for people; a fragment.
    pub cause: &'static str,
    /// What speaks for it, in words.
    pub wanted: &'static str,
    /// What to do; a fragment in the imperative.
    pub fix: &'static str,
    /// What to type next, with placeholders such as `{service}`; see
    /// [`super::document::typed`].
    pub next: &'static str,
    /// Where to read more.
    pub link: Option<&'static str>,
    /// Whether it follows from a failure that has a cause of its own.
    pub is_consequence: bool,
    /// How it shows.
    pub shows: Shows,
    /// Whether the cause is still there, where podseal can look.
    pub still: Option<Still>,
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Signature {}

/// A look at the facts: each that speaks for a failure, in words.
pub type Look = fn(&Case) -> Vec<String>;

/// What is there as long as a cause is; nothing means that it is gone. None
/// where it was not looked at.
pub type Still = fn(&Case) -> Option<Vec<String>>;

/// How a failure shows.
#[derive(Debug, Clone, Copy)]
pub enum Shows {
    /// One of these lines is in the log.
    Says(&'static [Line]),
    /// A fact.
    Fact(Look),
    /// One of the lines, and a fact.
    SaysAnd(&'static [Line], Look),
}

/// A line in the log.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Who has to have said it.
    pub by: Speaker,
    /// What is in it, in this order.
    pub words: &'static [&'static str],
    /// What is not in it.
    pub without: &'static [&'static str],
    /// Whether a line of the service's counts wherever it stands, and not only
    /// as its last words.
    pub anywhere: bool,
}

impl Line {
    /// Somebody's line with these words in it.
    #[must_use]
    pub const fn new(by: Speaker, words: &'static [&'static str]) -> Self {
        Self {
            by,
            words,
            without: &[],
            anywhere: false,
        }
    }

    /// The same without these words.
    #[must_use]
    pub const fn without(mut self, words: &'static [&'static str]) -> Self {
        self.without = words;
        self
    }

    /// The same, and not only as last words.
    #[must_use]
    pub const fn anywhere(mut self) -> Self {
        self.anywhere = true;
        self
    }

    /// Whether an entry is such a line.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        if entry.speaker != self.by || entry.event.is_some() {
            return false;
        }
        let mut rest = entry.message.as_str();
        for word in self.words {
            match rest.split_once(word) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        !self.without.iter().any(|word| entry.message.contains(word))
    }
}
