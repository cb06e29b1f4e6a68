//! What doctor found, for people.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use podseal_core::doctor::facts::User;
use podseal_core::doctor::{Finding, LevelReach, Reach, Status};
use podseal_core::policy::level::Level;

const HEADING: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const DOUBT: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Groups of checks, then what is to be done, then the levels.
pub(super) fn report(
    asked: Level,
    findings: &[Finding],
    levels: &[LevelReach],
    user: &User,
) -> String {
    let mut text = String::new();
    let mut group = None;
    for finding in findings {
        if group != Some(finding.group) {
            let gap = if group.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{HEADING}{}{HEADING:#}", finding.group);
            group = Some(finding.group);
        }
        describe(&mut text, finding, user);
    }
    let _ = writeln!(text, "\n{HEADING}levels, for {}{HEADING:#}", user.name);
    for row in levels {
        let style = match row.reach {
            Reach::Reachable => GOOD,
            Reach::Unknown => DOUBT,
            Reach::NotReachable => BAD,
        };
        let words = match row.reach {
            Reach::Reachable => "can be had here",
            Reach::Unknown => "cannot be told, because of:",
            Reach::NotReachable => "cannot be had here, because of:",
        };
        let mark = if row.level == asked { ">" } else { " " };
        let ids = row.in_the_way.join(", ");
        let line = format!(
            " {mark} {:<9} {style}{words}{style:#} {ids}",
            row.level.to_string()
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn describe(text: &mut String, finding: &Finding, user: &User) {
    let style = style(finding.status);
    let word = finding.status.to_string();
    let mut found = finding.found.iter();
    let first = found.next().map_or("", String::as_str);
    let _ = writeln!(
        text,
        " {style}{word:<7}{style:#} {}: {first}",
        finding.title
    );
    for line in found {
        let _ = writeln!(text, "         {line}");
    }
    if finding.status == Status::Ok {
        return;
    }
    let _ = writeln!(
        text,
        "         looked at: {} [{}]",
        finding.looked_at, finding.id
    );
    if let Some(meaning) = &finding.meaning {
        let _ = writeln!(text, "         meaning: {meaning}");
    }
    if let Some(advice) = &finding.fix.advice {
        let _ = writeln!(text, "         fix: {advice}");
    }
    for command in &finding.fix.commands {
        let _ = writeln!(text, "              {}", command.typed(user.is_rootless));
    }
}

const fn style(status: Status) -> Style {
    match status {
        Status::Ok => GOOD,
        Status::Note | Status::Unknown => DOUBT,
        Status::Problem => BAD,
    }
}

/// The commands alone, each once, with what they are for as comments: first
/// those for what stands in a level's way.
pub(super) fn commands(findings: &[Finding], is_rootless: bool) -> String {
    let mut text = String::new();
    let mut known = Vec::new();
    for status in [Status::Problem, Status::Unknown, Status::Note] {
        for finding in findings.iter().filter(|finding| finding.status == status) {
            let mut lines = finding.fix.commands.iter().map(|c| c.typed(is_rootless));
            let new: Vec<String> = lines
                .by_ref()
                .filter(|line| !known.contains(line))
                .collect();
            if new.is_empty() {
                continue;
            }
            let advice = finding.fix.advice.as_deref().unwrap_or(finding.title);
            let _ = writeln!(text, "# {} ({status}): {advice}", finding.id);
            for line in new {
                let _ = writeln!(text, "{line}");
                known.push(line);
            }
        }
    }
    text
}
