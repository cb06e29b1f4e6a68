//! The JSON form of what doctor found.

use serde::Serialize;

use super::facts::User;
use super::{Finding, LevelReach};
use crate::policy::level::Level;

/// Rises with an incompatible change.
const VERSION: u32 = 1;

/// What a host can do, and what stands in the way.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document<'a> {
    /// Of this form. Rises with an incompatible change.
    version: u32,
    /// The user it was looked at for.
    user: &'a str,
    /// Whether that is not root.
    rootless: bool,
    /// The level asked for.
    level: String,
    /// Every level, the weakest first.
    levels: Vec<LevelRow>,
    /// In the order in which they are made.
    checks: Vec<Row<'a>>,
}

/// Whether a level can be had.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct LevelRow {
    level: String,
    /// `reachable`, `not-reachable` or `unknown`
    reach: String,
    /// Ids of checks.
    in_the_way: Vec<&'static str>,
}

/// A check and how it came out.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Row<'a> {
    /// Stable name.
    id: &'a str,
    /// For people.
    title: &'a str,
    /// `kernel`, `podman`, `rootless` or `systemd`
    group: String,
    /// `ok`, `note`, `unknown` or `problem`
    status: String,
    /// What was looked at.
    looked_at: &'a str,
    /// What was found, a line each.
    found: &'a [String],
    /// What that means.
    meaning: Option<&'a str>,
    fix: Fix<'a>,
    /// Levels out of reach because of it, or unknown.
    levels: Vec<String>,
}

/// What to do about it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Fix<'a> {
    /// In words.
    advice: Option<&'a str>,
    /// To be typed in this order. podseal does not run them.
    commands: Vec<Command<'a>>,
}

/// A command line for a shell.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Command<'a> {
    line: &'a str,
    as_root: bool,
}

impl<'a> Document<'a> {
    /// The document for what [`super::examine`] and [`super::levels`] found.
    #[must_use]
    pub fn new(
        asked: Level,
        findings: &'a [Finding],
        levels: &[LevelReach],
        user: &'a User,
    ) -> Self {
        Self {
            version: VERSION,
            user: &user.name,
            rootless: user.is_rootless,
            level: asked.to_string(),
            levels: levels
                .iter()
                .map(|row| LevelRow {
                    level: row.level.to_string(),
                    reach: row.reach.to_string(),
                    in_the_way: row.in_the_way.clone(),
                })
                .collect(),
            checks: findings.iter().map(row).collect(),
        }
    }
}

fn row(finding: &Finding) -> Row<'_> {
    let commands = finding.fix.commands.iter().map(|command| Command {
        line: &command.line,
        as_root: command.as_root,
    });
    Row {
        id: finding.id,
        title: finding.title,
        group: finding.group.to_string(),
        status: finding.status.to_string(),
        looked_at: finding.looked_at,
        found: &finding.found,
        meaning: finding.meaning.as_deref(),
        fix: Fix {
            advice: finding.fix.advice.as_deref(),
            commands: commands.collect(),
        },
        levels: finding.levels.iter().map(Level::to_string).collect(),
    }
}
