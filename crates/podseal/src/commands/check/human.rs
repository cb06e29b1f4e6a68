//! Findings for people to read.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use podseal_core::audit::place::Span;
use podseal_core::audit::{Finding, Severity};

use super::Report;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = AnsiColor::Green.on_default().bold();
const MARGIN: Style = AnsiColor::Blue.on_default().bold();
const BOLD: Style = Style::new().bold();

/// The most characters of a line that are shown.
const WIDTH: usize = 90;

/// Where the rules are described.
pub(super) const RULES: &str = "docs/rules.md";

/// All findings and a line that sums them up.
pub(super) fn text(report: &Report<'_>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report<'_>) -> fmt::Result {
    let mut explained = BTreeSet::new();
    for finding in report.findings.iter().filter(|finding| finding.counts()) {
        one(text, finding, explained.insert(finding.rule.id))?;
    }
    for finding in report.findings {
        if let Some(ignored) = &finding.ignored {
            writeln!(
                text,
                "ignored[{}]: {}: {}\n  {MARGIN}-->{MARGIN:#} {}:{}: {}\n",
                finding.rule.id,
                finding.unit,
                plain(&finding.message),
                plain(&ignored.origin.file),
                ignored.origin.line,
                plain(&ignored.reason)
            )?;
        }
    }
    summary(text, report)
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Error => ERROR,
        Severity::Warning => WARNING,
        Severity::Note => NOTE,
    }
}

/// The reason is given with the first finding of a rule.
fn one(text: &mut String, finding: &Finding, is_first: bool) -> fmt::Result {
    let rule = finding.rule;
    let style = style(rule.severity);
    writeln!(
        text,
        "{style}{}[{}]{style:#}{BOLD}: {}{BOLD:#}",
        rule.severity.name(),
        rule.id,
        rule.title
    )?;
    let margin = if let Some(span) = &finding.span {
        let margin = " ".repeat(span.origin.line.to_string().len());
        writeln!(
            text,
            "{margin}{MARGIN}-->{MARGIN:#} {}:{}:{} ({})",
            plain(&span.origin.file),
            span.origin.line,
            span.column,
            finding.unit
        )?;
        source(text, span, &margin, style, &plain(&finding.message))?;
        margin
    } else {
        writeln!(text, " {MARGIN}-->{MARGIN:#} {}", finding.unit)?;
        writeln!(text, "  {MARGIN}={MARGIN:#} {}", plain(&finding.message))?;
        " ".to_owned()
    };
    let why = is_first.then_some(("why", rule.why));
    for (name, words) in why.into_iter().chain([("fix", finding.fix.as_str())]) {
        writeln!(
            text,
            "{margin} {MARGIN}={MARGIN:#} {name}: {}",
            plain(words)
        )?;
    }
    writeln!(
        text,
        "{margin} {MARGIN}={MARGIN:#} see: {RULES}#{}\n",
        rule.id
    )
}

/// The line with a caret under each character that it is about.
fn source(
    text: &mut String,
    span: &Span,
    margin: &str,
    style: Style,
    message: &str,
) -> fmt::Result {
    let line: Vec<char> = plain(&span.text).chars().collect();
    let start = (span.column - 1).min(line.len());
    let end = (span.end_column - 1).clamp(start, line.len());
    // What does not fit is cut off around the place.
    let first = if end > WIDTH {
        start.saturating_sub(WIDTH / 3)
    } else {
        0
    };
    let last = line.len().min(first + WIDTH);
    let cut: String = line[first..last].iter().collect();
    let (left, right) = (
        if first > 0 { "..." } else { "" },
        if last < line.len() { "..." } else { "" },
    );
    let number = span.origin.line;
    let before = " ".repeat(left.len() + start - first);
    let carets = "^".repeat(end.min(last).saturating_sub(start).max(1));
    writeln!(text, "{margin} {MARGIN}|{MARGIN:#}")?;
    writeln!(text, "{MARGIN}{number} |{MARGIN:#} {left}{cut}{right}")?;
    writeln!(
        text,
        "{margin} {MARGIN}|{MARGIN:#} {before}{style}{carets} {message}{style:#}"
    )?;
    writeln!(text, "{margin} {MARGIN}|{MARGIN:#}")
}

/// A text that can do nothing to a terminal, with as many characters.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

fn summary(text: &mut String, report: &Report<'_>) -> fmt::Result {
    let counted = report.findings.iter().filter(|finding| finding.counts());
    let severities: Vec<Severity> = counted.map(|finding| finding.rule.severity).collect();
    let of = |severity| severities.iter().filter(|s| **s == severity).count();
    let number = |count: usize, what: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} {what}{s}")
    };
    let ignored = report.findings.len() - severities.len();
    let mut parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter(|severity| of(*severity) > 0)
        .map(|severity| number(of(severity), severity.name()))
        .collect();
    if parts.is_empty() {
        parts.push("nothing found".to_owned());
    }
    write!(
        text,
        "{} in {}",
        parts.join(", "),
        number(report.units.len(), "unit")
    )?;
    if ignored > 0 {
        write!(text, ", {ignored} ignored")?;
    }
    if !report.errors.is_empty() {
        let units = number(report.errors.len(), "time");
        write!(text, "; could not look {units}")?;
    }
    if !report.passed_over.is_empty() {
        let services = number(report.passed_over.len(), "service");
        write!(text, "; passed over {services} without Podman")?;
    }
    Ok(())
}
