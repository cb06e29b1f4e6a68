//! What a host can do, and what stands in the way: a table of checks over
//! facts that somebody else gathered.

use std::fmt;

use crate::policy::level::Level;

pub mod document;
pub mod facts;
mod fix;
mod kernel;
mod podman;
mod rootless;
mod seal;
mod systemd;

#[cfg(test)]
mod tests;

use facts::{Facts, NotLooked};
pub use fix::{Command, Fix};

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Stable kebab-case name.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it is about.
    pub group: Group,
    /// What is looked at.
    pub looked_at: &'static str,
    /// What rests on it, and so cannot be told where it could not be looked
    /// at: the first level.
    pub carries: Option<Level>,
    rule: Rule,
}

/// How facts are judged.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// On every host.
    Always(fn(&Facts) -> Judgement),
    /// Where the check applies to the host.
    Where(fn(&Facts) -> Option<Judgement>),
}

impl Rule {
    fn judge(self, facts: &Facts) -> Option<Judgement> {
        match self {
            Self::Always(judge) => Some(judge(facts)),
            Self::Where(judge) => judge(facts),
        }
    }
}

/// What checks are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The kernel.
    Kernel,
    /// Podman and the programs it calls.
    Podman,
    /// What Podman needs for users other than root.
    Rootless,
    /// systemd.
    Systemd,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::Podman => "podman",
            Self::Rootless => "rootless",
            Self::Systemd => "systemd",
        })
    }
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// As it should be.
    Ok,
    /// Worth knowing; stands in nobody's way.
    Note,
    /// It could not be looked at.
    Unknown,
    /// Something does not work.
    Problem,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Problem => "problem",
        })
    }
}

/// What a check makes of the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Judgement {
    status: Status,
    found: Vec<String>,
    meaning: Option<String>,
    fix: Fix,
    /// Levels that are out of reach, or with [`Status::Unknown`] cannot be
    /// told. None: those from [`Check::carries`] on.
    levels: Option<Vec<Level>>,
}

impl Judgement {
    fn new(status: Status, found: impl Into<String>) -> Self {
        Self {
            status,
            found: vec![found.into()],
            meaning: None,
            fix: Fix::default(),
            levels: None,
        }
    }

    fn ok(found: impl Into<String>) -> Self {
        Self::new(Status::Ok, found)
    }

    fn note(found: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self::new(Status::Note, found).meaning(meaning)
    }

    fn problem(found: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self::new(Status::Problem, found).meaning(meaning)
    }

    fn unknown(why: &NotLooked) -> Self {
        Self::new(Status::Unknown, format!("not looked at: {}", why.reason))
    }

    fn meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = Some(meaning.into());
        self
    }

    fn fix(mut self, fix: Fix) -> Self {
        self.fix = fix;
        self
    }

    fn also(mut self, found: impl Into<String>) -> Self {
        self.found.push(found.into());
        self
    }

    fn levels(mut self, levels: Vec<Level>) -> Self {
        self.levels = Some(levels);
        self
    }
}

/// A check and how it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// [`Check::id`]
    pub id: &'static str,
    /// [`Check::title`]
    pub title: &'static str,
    /// [`Check::group`]
    pub group: Group,
    /// [`Check::looked_at`]
    pub looked_at: &'static str,
    /// How it came out.
    pub status: Status,
    /// What was found, a line each.
    pub found: Vec<String>,
    /// What that means.
    pub meaning: Option<String>,
    /// What to do about it.
    pub fix: Fix,
    /// The levels that it stands in the way of; with [`Status::Unknown`],
    /// those that cannot be told because of it.
    pub levels: Vec<Level>,
}

/// Whether a level can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Everything it needs was seen to be there.
    Reachable,
    /// Something it needs was not looked at, and nothing that was is missing.
    Unknown,
    /// Something it needs is missing.
    NotReachable,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reachable => "reachable",
            Self::Unknown => "unknown",
            Self::NotReachable => "not-reachable",
        })
    }
}

/// A level and what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelReach {
    /// The level.
    pub level: Level,
    /// Whether it can be had.
    pub reach: Reach,
    /// [`Check::id`] of what is in the way or not known.
    pub in_the_way: Vec<&'static str>,
}

/// All checks, in the order in which they are shown.
pub fn checks() -> impl Iterator<Item = &'static Check> {
    [
        kernel::CHECKS,
        podman::CHECKS,
        rootless::CHECKS,
        systemd::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Judges `facts` by every check that applies to this host.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    checks()
        .filter_map(|check| {
            let judgement = check.rule.judge(facts)?;
            let carried = || {
                let from = |level: &Level| check.carries.is_some_and(|first| first <= *level);
                Level::ALL.into_iter().filter(from).collect()
            };
            let levels = match judgement.status {
                Status::Ok | Status::Note => Vec::new(),
                Status::Unknown | Status::Problem => judgement.levels.unwrap_or_else(carried),
            };
            Some(Finding {
                id: check.id,
                title: check.title,
                group: check.group,
                looked_at: check.looked_at,
                status: judgement.status,
                found: judgement.found,
                meaning: judgement.meaning,
                fix: judgement.fix,
                levels,
            })
        })
        .collect()
}

/// Which levels `findings` leave. What is in a level's way is in the way of the
/// stronger ones, too.
#[must_use]
pub fn levels(findings: &[Finding]) -> Vec<LevelReach> {
    Level::ALL
        .into_iter()
        .map(|level| {
            let concerned = || {
                let concerns = |finding: &&Finding| finding.levels.iter().any(|l| *l <= level);
                findings.iter().filter(concerns)
            };
            let problem = concerned().any(|f| f.status == Status::Problem);
            let in_the_way: Vec<_> = concerned()
                .filter(|f| !problem || f.status == Status::Problem)
                .map(|f| f.id)
                .collect();
            let reach = match (problem, in_the_way.is_empty()) {
                (true, _) => Reach::NotReachable,
                (false, false) => Reach::Unknown,
                (false, true) => Reach::Reachable,
            };
            LevelReach {
                level,
                reach,
                in_the_way,
            }
        })
        .collect()
}
