//! What the commands of a service start, as far as their lines tell.

use crate::podman::invocation::{Invocation, Word};
use crate::unit::effective::{Located, Origin};
use crate::unit::exec::{ExecCommand, ExecPrivileges};
use crate::unit::quadlet::command::PodmanCommand;

/// One command of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// `ExecStart` and so on.
    pub key: &'static str,
    /// Where it is written.
    pub origin: Origin,
    /// The path as systemd gets it.
    pub path: String,
    /// Whether it runs outside the unit's restrictions (`+`).
    pub is_outside: bool,
    /// Whether podseal's launcher has the pause process made before it is Podman.
    pub makes_pause: bool,
    /// What it starts.
    pub program: Program,
}

/// What a command starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Program<P = Origin> {
    /// Podman, directly or through podseal's launcher.
    Podman(Invocation<P>),
    /// `podseal pause ensure`.
    PauseEnsure {
        /// The user that it is told to become.
        run_as: Option<String>,
    },
    /// Something that mentions Podman and that podseal does not look into, such
    /// as a shell.
    Unclear {
        /// Why it cannot be told.
        why: String,
    },
    /// Anything else.
    Other,
}

impl Command {
    /// Reads one command of a service. Where it is the one that was generated of
    /// a `.container` file, its words stand where that has them.
    #[must_use]
    pub fn new(
        key: &'static str,
        command: &Located<ExecCommand>,
        generated: Option<&PodmanCommand>,
    ) -> Self {
        let Located { value, origin } = command;
        let generated: Vec<Option<&Origin>> = generated
            .filter(|_| key == "ExecStart")
            .into_iter()
            .flat_map(|generated| &generated.arguments)
            .flat_map(|argument| argument.words.iter().map(|_| argument.origin.as_ref()))
            .collect();
        // A drop-in may have another command.
        let is_generated = generated.len() == value.argv.len();
        let place = |at: usize| {
            let own = generated.get(at).copied().flatten();
            own.filter(|_| is_generated).unwrap_or(origin).clone()
        };
        let words = words(value, place);
        Self {
            key,
            origin: origin.clone(),
            path: value.path.clone(),
            is_outside: value.prefixes.privileges == ExecPrivileges::Full,
            makes_pause: makes_pause(&value.path, &words),
            program: program(&value.path, &words),
        }
    }

    /// The Podman command, if it is one.
    #[must_use]
    pub fn podman(&self) -> Option<&Invocation<Origin>> {
        match &self.program {
            Program::Podman(invocation) => Some(invocation),
            _ => None,
        }
    }
}

/// The words of a command behind the zeroth, which is only a name. `place` is
/// given their index in [`ExecCommand::argv`].
pub(crate) fn words<P>(command: &ExecCommand, place: impl Fn(usize) -> P) -> Vec<Word<P>> {
    let expands = !command.prefixes.no_env_expand;
    let words = command.argv.iter().enumerate().skip(1);
    words
        .map(|(at, text)| Word {
            is_open: has_specifier(text) || (expands && has_variable(text)),
            text: text.as_str().into(),
            place: place(at),
        })
        .collect()
}

/// What a program and the words behind it start.
pub(crate) fn program<P: Clone>(path: &str, words: &[Word<P>]) -> Program<P> {
    let text = |at: usize| words.get(at).map(|word| &*word.text);
    match file_name(path) {
        "podman" => Program::Podman(Invocation::parse(words)),
        "podseal" if (text(0), text(1)) == (Some("pause"), Some("ensure")) => {
            let run_as = run_as(&words[2..]);
            Program::PauseEnsure { run_as }
        }
        _ => match wrapped(path, words) {
            Some((command, rest)) => program(&command.text, rest),
            None => unclear(path, words),
        },
    }
}

/// The Podman command in a command as it is started, behind env(1) as well; the
/// places of its words are their indices in `command`.
#[must_use]
pub fn podman_in(command: &[impl AsRef<str>]) -> Option<Invocation<usize>> {
    let words = Word::numbered(command.iter().map(AsRef::as_ref));
    let (path, words) = words.split_first()?;
    match program(&path.text, words) {
        Program::Podman(invocation) => Some(invocation),
        _ => None,
    }
}

/// The user of `--run-as`.
fn run_as<P>(words: &[Word<P>]) -> Option<String> {
    let mut words = words.iter().map(|word| &*word.text);
    let word = words.find(|word| word.starts_with(RUN_AS))?;
    match word.split_once('=') {
        Some((_, user)) => Some(user.to_owned()),
        None => words.next().map(str::to_owned),
    }
}

/// The option of `podseal pause ensure` for another user.
pub(crate) const RUN_AS: &str = "--run-as";

/// The name of a program, which says what it is.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The command that a program becomes, and its arguments: behind `podseal enter`
/// or `env` and what belongs to them.
pub(crate) fn wrapped<'a, P>(
    path: &str,
    words: &'a [Word<P>],
) -> Option<(&'a Word<P>, &'a [Word<P>])> {
    let (command, rest) = match file_name(path) {
        "podseal" => launched(behind_enter(path, words)?).split_first()?,
        "env" => {
            let assignments = words
                .iter()
                .take_while(|word| word.text.contains('=') && !word.text.starts_with('-'));
            let (command, rest) = words.get(assignments.count()..)?.split_first()?;
            if command.text.starts_with('-') {
                return None;
            }
            (command, rest)
        }
        _ => return None,
    };
    (!command.is_open).then_some((command, rest))
}

/// The launcher's options and command, if it is `podseal enter`.
fn behind_enter<'a, P>(path: &str, words: &'a [Word<P>]) -> Option<&'a [Word<P>]> {
    let (verb, rest) = words.split_first()?;
    ((file_name(path), &*verb.text) == ("podseal", "enter")).then_some(rest)
}

/// Whether a command is `podseal enter --make-pause`.
fn makes_pause<P>(path: &str, words: &[Word<P>]) -> bool {
    behind_enter(path, words).is_some_and(|words| {
        let options = &words[..words.len() - launched(words).len()];
        options.iter().any(|word| &*word.text == "--make-pause")
    })
}

/// The command behind `podseal enter` and its options.
fn launched<P>(words: &[Word<P>]) -> &[Word<P>] {
    const VALUED: &[&str] = &[
        "--level",
        "--families",
        "--join",
        "--without",
        "--argv0",
        "--color",
    ];
    let mut rest = words;
    loop {
        match rest {
            [dashes, after @ ..] if &*dashes.text == "--" => return after,
            [option, _, after @ ..] if VALUED.contains(&&*option.text) => rest = after,
            [option, after @ ..] if option.text.starts_with('-') => rest = after,
            _ => return rest,
        }
    }
}

fn unclear<P>(path: &str, words: &[Word<P>]) -> Program<P> {
    let is_podman = |text: &str| text.to_ascii_lowercase().contains("podman");
    if is_podman(path) || words.iter().any(|word| is_podman(&word.text)) {
        Program::Unclear {
            why: format!("podseal does not look into what {path} does"),
        }
    } else {
        Program::Other
    }
}

/// Whether systemd puts something in the place of `$NAME` or `${NAME}`.
pub(crate) fn has_variable(text: &str) -> bool {
    text.contains('$')
        && text.replace("$$", "").split('$').skip(1).any(|after| {
            after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '{')
        })
}

/// Whether a specifier is left that podseal has no value for.
fn has_specifier(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .any(|after| after.starts_with(|c: char| c.is_ascii_alphabetic()))
}
