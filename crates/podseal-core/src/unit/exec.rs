//! `ExecStart=` and its like: lines into commands.
//!
//! Follows "Command lines" in `systemd.service(5)` and systemd's
//! `config_parse_exec()`. `$VARIABLE` stays in the arguments: systemd replaces
//! it when the command is started.

mod raw;

use serde::Serialize;

use super::specifier::Specifiers;
use super::words::{Flags, WordError, Words};
use super::{Problem, WHITESPACE};

pub use raw::{RawCommand, divide, raw_commands};

/// One command of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExecCommand {
    /// The program: an absolute path or a name to look for in a fixed path.
    /// `/bin/sh` stands for the shell of the user where the prefix `|` asks for
    /// that.
    pub path: String,
    /// Its arguments, the zeroth included. With the prefix `|`, what follows the
    /// zeroth is put together with spaces and is what the shell is to run.
    pub argv: Vec<String>,
    /// What the characters before the path ask for.
    pub prefixes: ExecPrefixes,
}

/// The special characters before a command's path. `@` is not kept: it shows
/// in `argv[0]`, which with `|` begins with `-`, for a login shell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExecPrefixes {
    /// `-`: a failure counts as success.
    pub ignore_failure: bool,
    /// `:`: no `$VARIABLE` replacement.
    pub no_env_expand: bool,
    /// `|`: run by the user's shell (systemd ≥ 258).
    pub via_shell: bool,
    /// `+`, `!` or `!!`: how much of the unit's restrictions are skipped.
    pub privileges: ExecPrivileges,
}

/// Which restrictions apply to a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ExecPrivileges {
    /// All of them.
    #[default]
    Restricted,
    /// `+`: none. `User=`, seccomp filters and mount namespaces are skipped, so
    /// the command runs outside the seal.
    Full,
    /// `!`: no `User=`, `Group=` and capabilities.
    NoSetuid,
    /// `!!`: as `!` on kernels without ambient capabilities, else nothing.
    AmbientMagic,
}

/// What a line is read as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecLine {
    /// The commands up to the first that is wrong.
    pub commands: Vec<ExecCommand>,
    /// What is odd about the line. One that is refused keeps the unit from
    /// being loaded.
    pub problems: Vec<Problem>,
}

/// What systemd names as the program of a command that a shell is to run.
const SHELL: &str = "/bin/sh";

fn word_flags() -> Flags {
    Flags::UNQUOTE | Flags::CUNESCAPE
}

/// Splits the value of an `Exec…=` line into commands. An empty value has none;
/// it also resets the lines before it, which is the caller's part.
#[must_use]
pub fn parse_exec(value: &str, specifiers: &Specifiers<'_>) -> ExecLine {
    let mut line = ExecLine::default();
    let mut rest = value.trim_start_matches(WHITESPACE);
    while !rest.is_empty() {
        match next_command(rest, specifiers, &mut line.problems) {
            Ok((command, after)) => {
                line.commands.extend(command);
                rest = after;
            }
            Err(problem) => {
                line.problems.push(problem);
                break;
            }
        }
    }
    line
}

/// Takes one command, or a lone `;`, and returns what follows its separator.
fn next_command<'a>(
    text: &'a str,
    specifiers: &Specifiers<'_>,
    problems: &mut Vec<Problem>,
) -> Result<(Option<ExecCommand>, &'a str), Problem> {
    let mut words = Words::new(text);
    let first = match words.next_noting(word_flags(), problems) {
        Ok(Some(word)) => word,
        Ok(None) => return Ok((None, "")),
        // Not an error of the command: systemd passes over the line.
        Err(error) => return Err(Problem::ignored(format!("{error} in {text:?}"))),
    };
    if first == ";" {
        return Ok((None, words.rest()));
    }
    let (prefixes, separate_argv0, name) = split_prefixes(&first);
    let wrong = |message: String| {
        if prefixes.ignore_failure {
            Problem::ignored(message)
        } else {
            Problem::refused(message)
        }
    };
    let path = specifiers
        .expand(name)
        .map_err(|error| wrong(error.to_string()))?
        .into_owned();
    let mut argv = Vec::new();
    let program = if prefixes.via_shell {
        problems.push(Problem::used(format!(
            "the prefix | in {first:?}: systemd before 258 does not know it, and does not start \
             the command"
        )));
        argv.push(if separate_argv0 { "-sh" } else { "sh" }.to_owned());
        // Whatever follows is the shell's concern, even if it is nothing.
        argv.extend(Some(path).filter(|path| !path.is_empty()));
        SHELL.to_owned()
    } else {
        check_path(&path, &first).map_err(wrong)?;
        if !separate_argv0 {
            argv.push(path.clone());
        }
        simplify(&path)
    };
    let after = arguments(&mut words, specifiers, &mut argv, problems)
        .map_err(|error| wrong(error.message(text)))?;
    if argv.is_empty() {
        return Err(wrong(format!("no zeroth argument in {text:?}")));
    }
    let command = ExecCommand {
        path: program,
        argv,
        prefixes,
    };
    Ok((Some(command), after))
}

enum ArgumentError {
    Word(WordError),
    Specifier(super::specifier::SpecifierError),
}

impl ArgumentError {
    fn message(&self, text: &str) -> String {
        match self {
            Self::Word(error) => format!("{error} in {text:?}"),
            Self::Specifier(error) => error.to_string(),
        }
    }
}

/// Takes words up to an unquoted, unescaped `;`, and returns what follows it.
fn arguments<'a>(
    words: &mut Words<'a>,
    specifiers: &Specifiers<'_>,
    argv: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> Result<&'a str, ArgumentError> {
    loop {
        let rest = words.rest();
        if let Some(after) = after_token(rest, ";") {
            return Ok(after);
        }
        if let Some(after) = after_token(rest, "\\;") {
            argv.push(";".to_owned());
            *words = Words::new(after);
            continue;
        }
        match words.next_noting(word_flags(), problems) {
            Ok(None) => return Ok(""),
            Ok(Some(word)) => {
                let word = specifiers.expand_owned(word);
                argv.push(word.map_err(ArgumentError::Specifier)?);
            }
            Err(error) => return Err(ArgumentError::Word(error)),
        }
    }
}

/// What follows a token that is a word of its own, and the blanks behind it.
fn after_token<'a>(text: &'a str, token: &str) -> Option<&'a str> {
    text.strip_prefix(token)
        .filter(|after| after.is_empty() || after.starts_with(WHITESPACE))
        .map(|after| after.trim_start_matches(WHITESPACE))
}

/// Takes the special characters off a command's first word. Each counts once;
/// the first repeated one belongs to the path.
fn split_prefixes(word: &str) -> (ExecPrefixes, bool, &str) {
    let mut prefixes = ExecPrefixes::default();
    let mut separate_argv0 = false;
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        match (first, prefixes.privileges) {
            ('-', _) if !prefixes.ignore_failure => prefixes.ignore_failure = true,
            ('@', _) if !separate_argv0 => separate_argv0 = true,
            (':', _) if !prefixes.no_env_expand => prefixes.no_env_expand = true,
            ('|', _) if !prefixes.via_shell => prefixes.via_shell = true,
            ('+', ExecPrivileges::Restricted) => prefixes.privileges = ExecPrivileges::Full,
            ('!', ExecPrivileges::Restricted) => {
                prefixes.privileges = ExecPrivileges::NoSetuid;
            }
            ('!', ExecPrivileges::NoSetuid) => {
                prefixes.privileges = ExecPrivileges::AmbientMagic;
            }
            _ => break,
        }
        rest = &rest[1..];
    }
    (prefixes, separate_argv0, rest)
}

fn check_path(path: &str, word: &str) -> Result<(), String> {
    let valid_name = !path.contains('/') && path.len() <= 255 && !matches!(path, "." | "..");
    if path.is_empty() {
        Err(format!("no command after the prefixes in {word:?}"))
    } else if path.contains(|c: char| c.is_ascii_control() || matches!(c, '"' | '\'' | '\\')) {
        Err(format!("special characters in the command {path:?}"))
    } else if path.ends_with('/') {
        Err(format!("command {path:?} is a directory"))
    } else if !path.starts_with('/') && !valid_name {
        Err(format!(
            "command {path:?} is neither an absolute path nor a file name"
        ))
    } else {
        Ok(())
    }
}

/// Drops repeated slashes and `.` components.
pub(crate) fn simplify(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut simple = String::with_capacity(path.len());
    for part in parts {
        if !simple.is_empty() || path.starts_with('/') {
            simple.push('/');
        }
        simple.push_str(part);
    }
    if simple.is_empty() && path.starts_with('/') {
        simple.push('/');
    }
    simple
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::unit::Effect;

    fn parse(value: &str) -> ExecLine {
        let unit = "a@b.service".parse().expect("valid");
        let host = BTreeMap::new();
        let specifiers = Specifiers {
            unit: &unit,
            fragment: None,
            host: &host,
        };
        parse_exec(value, &specifiers)
    }

    fn prefixes(value: &str) -> Option<ExecPrefixes> {
        parse(value).commands.first().map(|c| c.prefixes)
    }

    #[test]
    fn prefixes_in_any_order() {
        let expected = ExecPrefixes {
            ignore_failure: true,
            no_env_expand: true,
            via_shell: false,
            privileges: ExecPrivileges::Full,
        };
        for value in ["-:+/a", "+:-/a", ":@+-/a b"] {
            assert_eq!(prefixes(value), Some(expected), "{value}");
        }
        let privileges = |value| prefixes(value).map(|p| p.privileges);
        assert_eq!(privileges("!/a"), Some(ExecPrivileges::NoSetuid));
        assert_eq!(privileges("!!/a"), Some(ExecPrivileges::AmbientMagic));
        assert_eq!(privileges("!-!/a"), Some(ExecPrivileges::AmbientMagic));
        for value in ["!!!/a", "+!/a", "!+/a", "++/a", "::/a"] {
            assert_eq!(privileges(value), None, "{value}");
        }
    }

    /// What systemd 262 makes of these; its names are those of a shell's words.
    #[test]
    fn commands_for_a_shell() {
        let cases: &[(&str, &[&str])] = &[
            ("|/bin/echo hi", &["sh", "/bin/echo", "hi"]),
            ("|echo $HOME", &["sh", "echo", "$HOME"]),
            ("|@/bin/echo x y", &["-sh", "/bin/echo", "x", "y"]),
            ("@|/bin/echo x", &["-sh", "/bin/echo", "x"]),
            ("|", &["sh"]),
            ("@|", &["-sh"]),
            ("| echo", &["sh", "echo"]),
            ("||/bin/echo", &["sh", "|/bin/echo"]),
            ("|/bin/echo/", &["sh", "/bin/echo/"]),
            ("|foo/bar", &["sh", "foo/bar"]),
            ("|\"a b\" c", &["sh", "a b", "c"]),
            ("|%p ; |.", &["sh", "a"]),
        ];
        for (value, argv) in cases {
            let line = parse(value);
            assert_eq!(line.commands[0].argv, *argv, "{value}");
            assert_eq!(line.commands[0].path, SHELL, "{value}");
            assert!(line.commands[0].prefixes.via_shell, "{value}");
            assert_eq!(line.problems[0].effect, Effect::Used, "{value}");
        }
        assert_eq!(
            prefixes("-|+:/a").map(|p| (p.via_shell, p.privileges, p.ignore_failure)),
            Some((true, ExecPrivileges::Full, true))
        );
        assert_eq!(parse("/bin/true |echo").problems, []);
    }

    #[test]
    fn commands_before_a_wrong_one_stay() {
        let line = parse("/a ; /b/ ; /c");
        assert_eq!(line.commands.len(), 1);
        assert_eq!(line.problems[0].effect, Effect::Refused);
        let line = parse("/a ; -/b/ ; /c");
        assert_eq!(line.commands.len(), 1);
        assert_eq!(line.problems[0].effect, Effect::Ignored);
    }

    #[test]
    fn separators() {
        let commands = |value| parse(value).commands.len();
        assert_eq!(commands(""), 0);
        assert_eq!(commands(" ; "), 0);
        assert_eq!(commands("; /a"), 1);
        assert_eq!(commands("/a;/b"), 1);
        assert_eq!(commands("/a ;/b"), 1);
        assert_eq!(commands("/a ; ; /b ;"), 2);
    }

    #[test]
    fn specifiers_are_expanded_after_splitting() {
        let line = parse("/bin/%p %n '%i %%' %Z");
        assert_eq!(line.problems[0].effect, Effect::Refused);
        let line = parse("/bin/%p %n '%i %%'");
        assert_eq!(line.commands[0].argv, ["/bin/a", "a@b.service", "b %"]);
    }
}
