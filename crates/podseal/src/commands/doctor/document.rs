//! The JSON form of what doctor found.

use podseal_core::doctor::facts::User;
use podseal_core::doctor::{Finding, LevelReach};
use podseal_core::policy::level::Level;
use serde::Serialize;

/// Rises with an incompatible change.
const VERSION: u32 = 1;

#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    version: u32,
    user: &'a str,
    rootless: bool,
    /// The level asked for.
    level: String,
    levels: Vec<LevelRow>,
    checks: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct LevelRow {
    level: String,
    /// `reachable`, `not-reachable` or `unknown`
    reach: String,
    /// Ids of checks.
    in_the_way: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    group: String,
    /// `ok`, `note`, `unknown` or `problem`
    status: String,
    looked_at: &'a str,
    found: &'a [String],
    meaning: Option<&'a str>,
    fix: Fix<'a>,
    /// Levels out of reach because of it, or unknown.
    levels: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Fix<'a> {
    advice: Option<&'a str>,
    commands: Vec<Command<'a>>,
}

#[derive(Debug, Serialize)]
struct Command<'a> {
    line: &'a str,
    as_root: bool,
}

impl<'a> Document<'a> {
    pub(super) fn new(
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
