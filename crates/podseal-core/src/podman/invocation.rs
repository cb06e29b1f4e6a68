//! A `podman` command line of somebody else, taken apart as Podman does it.
//!
//! Podman's options are those of Go's pflag: `--name value` or `--name=value`,
//! `-abc`, and everything behind the first operand belongs to the container.
//! See `podman(1)`, `podman-run(1)` and `podman-kube-play(1)`.

mod tables;

use std::sync::Arc;

use tables::{GLOBAL, KUBE_PLAY, RUN, Syntax};

/// A word of a command, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<P> {
    /// The word as Podman gets it.
    pub text: Arc<str>,
    /// Whether systemd puts something else in its place when it starts the
    /// command (`$NAME`), or podseal does not know what it puts (`%S`).
    pub is_open: bool,
    /// Where it stands.
    pub place: P,
}

impl Word<usize> {
    /// The words of a command as they are, each at its number.
    pub fn numbered<T: Into<Arc<str>>>(texts: impl IntoIterator<Item = T>) -> Vec<Self> {
        let texts = texts.into_iter().enumerate();
        texts
            .map(|(place, text)| Self {
                text: text.into(),
                is_open: false,
                place,
            })
            .collect()
    }
}

/// An option with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOption<P> {
    /// The long name; an alias is replaced by what it stands for.
    pub name: &'static str,
    /// What was given, `None` for an option without a value.
    pub value: Option<Arc<str>>,
    /// Whether the value is known only when the command is started.
    pub is_open: bool,
    /// The word that it begins with.
    pub word: Word<P>,
}

/// What is asked of Podman.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `run` or `create`: a container with the options that are there.
    Run,
    /// `start` or `restart`: a container or pod that was made elsewhere.
    Start,
    /// `kube play`: what a file of Kubernetes' asks for.
    KubePlay,
    /// `unshare`: a command in Podman's namespaces, which the pause process
    /// then keeps.
    Unshare,
    /// `exec` or `healthcheck`: a command in a container that is there.
    Exec,
    /// What starts no container: `stop`, `rm`, `pull` and so on.
    Other,
    /// One that podseal does not know.
    Unknown,
}

/// A command of Podman's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation<P> {
    /// What is asked for.
    pub verb: Verb,
    /// The word that asks for it.
    pub verb_word: Option<Word<P>>,
    /// The last word before the verb's own options: `run` in `container run`.
    pub before_options: Option<Word<P>>,
    /// Podman's own options and those of the verb.
    pub options: Vec<CommandOption<P>>,
    /// What follows the options: the image of `run` and its arguments.
    pub operands: Vec<Word<P>>,
    /// The word from which on podseal cannot tell what is meant, and why.
    pub unclear: Option<(Word<P>, String)>,
}

impl<P: Clone> Invocation<P> {
    /// Reads the words behind `podman`.
    #[must_use]
    pub fn parse(words: &[Word<P>]) -> Self {
        let mut reader = Reader {
            words,
            at: 0,
            options: Vec::new(),
            unclear: None,
        };
        reader.options(&[GLOBAL]);
        let verb_word = reader.next();
        let verb = match &verb_word {
            Some(word) if !word.is_open => reader.verb(&word.text),
            _ => Verb::Unknown,
        };
        let before_options = reader
            .at
            .checked_sub(1)
            .and_then(|at| words.get(at))
            .cloned();
        match verb {
            Verb::Run => reader.options(&[RUN, GLOBAL]),
            Verb::KubePlay => reader.options(&[KUBE_PLAY, GLOBAL]),
            _ => {}
        }
        let is_down = reader.options.iter().any(|option| option.name == "down");
        let verb = if is_down { Verb::Other } else { verb };
        let operands = words.get(reader.at..).unwrap_or_default().to_vec();
        let mut unclear = reader.unclear;
        if verb == Verb::Run
            && let Some(image) = operands.first()
            && is_bare_variable(image)
        {
            unclear.get_or_insert_with(|| {
                let why = format!("{} may stand for options, or for nothing", image.text);
                (image.clone(), why)
            });
        }
        Self {
            verb,
            verb_word,
            before_options,
            options: reader.options,
            operands,
            unclear,
        }
    }

    /// The options of this name, in their order.
    pub fn all<'a>(
        &'a self,
        name: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a CommandOption<P>> {
        self.options.iter().filter(move |o| o.name == name)
    }

    /// Whether a flag such as `--privileged` is on; the last one counts.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&CommandOption<P>> {
        let last = self.options.iter().rfind(|option| option.name == name)?;
        let is_off = matches!(
            last.value.as_deref(),
            Some("false" | "False" | "FALSE" | "f" | "F" | "0")
        );
        (!is_off).then_some(last)
    }

    /// Whether it starts or makes a container, as far as podseal can tell.
    #[must_use]
    pub fn starts_container(&self) -> bool {
        !matches!(self.verb, Verb::Unshare | Verb::Exec | Verb::Other)
    }

    /// The image of `run`.
    #[must_use]
    pub fn image(&self) -> Option<&Word<P>> {
        self.operands.first().filter(|_| self.verb == Verb::Run)
    }
}

impl Invocation<usize> {
    /// The index at which options are put into a `podman run`: none into what is
    /// none.
    #[must_use]
    pub fn behind_run(&self) -> Option<usize> {
        let last = self.before_options.as_ref()?;
        (self.verb == Verb::Run).then_some(last.place + 1)
    }
}

/// `$NAME` as a word of its own becomes any number of words.
fn is_bare_variable<P>(word: &Word<P>) -> bool {
    word.is_open && word.text.starts_with('$') && !word.text.starts_with("${")
}

struct Reader<'a, P> {
    words: &'a [Word<P>],
    at: usize,
    options: Vec<CommandOption<P>>,
    unclear: Option<(Word<P>, String)>,
}

impl<P: Clone> Reader<'_, P> {
    fn next(&mut self) -> Option<Word<P>> {
        let word = self.words.get(self.at).cloned();
        self.at += usize::from(word.is_some());
        word
    }

    fn verb(&mut self, text: &str) -> Verb {
        let starts_all = self.words.iter().any(|word| &*word.text == "--all");
        let of_container = |verb: &str| match verb {
            "run" | "create" => Verb::Run,
            // podman-restart.service; what it starts, `restart-by-podman` finds.
            "start" if starts_all => Verb::Other,
            "start" | "restart" | "init" | "unpause" | "clone" | "restore" => Verb::Start,
            "exec" | "healthcheck" => Verb::Exec,
            other if tables::HARMLESS.contains(&other) => Verb::Other,
            _ => Verb::Unknown,
        };
        match text {
            "container" => self
                .next()
                .map_or(Verb::Unknown, |word| of_container(&word.text)),
            "kube" | "play" => match self.next() {
                Some(word) if matches!(&*word.text, "play" | "kube") => Verb::KubePlay,
                Some(word) if matches!(&*word.text, "down" | "generate") => Verb::Other,
                _ => Verb::Unknown,
            },
            "pod" => match self.next() {
                Some(word) if matches!(&*word.text, "start" | "restart" | "unpause") => Verb::Start,
                Some(word) if matches!(&*word.text, "create" | "stop" | "rm" | "kill") => {
                    Verb::Other
                }
                _ => Verb::Unknown,
            },
            "unshare" => Verb::Unshare,
            verb => of_container(verb),
        }
    }

    /// Reads options up to the first word that is none.
    fn options(&mut self, tables: &[&'static [Syntax]]) {
        while let Some(word) = self.words.get(self.at).cloned() {
            if is_bare_variable(&word) {
                let why = format!("{} may stand for any options", word.text);
                self.unclear.get_or_insert((word, why));
                self.at += 1;
            } else if &*word.text == "--" {
                self.at += 1;
                return;
            } else if let Some(long) = word.text.strip_prefix("--") {
                self.at += 1;
                self.long(&word, long, tables);
            } else if word.text.len() > 1 && word.text.starts_with('-') {
                self.at += 1;
                self.short(&word, tables);
            } else {
                return;
            }
        }
    }

    fn long(&mut self, word: &Word<P>, long: &str, tables: &[&'static [Syntax]]) {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.into())),
            None => (long, None),
        };
        let mut rows = tables.iter().copied().flatten();
        match rows.find(|row| row.long == name || row.aliases.contains(&name)) {
            Some(row) if !row.takes_value || value.is_some() => self.push(row, value, word),
            Some(row) => self.push_with_next(row, word),
            None => self.unknown(word, name),
        }
    }

    fn short(&mut self, word: &Word<P>, tables: &[&'static [Syntax]]) {
        let mut letters = word.text.char_indices().skip(1).peekable();
        while let Some((at, letter)) = letters.next() {
            let mut rows = tables.iter().copied().flatten();
            let Some(row) = rows.find(|row| row.short == Some(letter)) else {
                self.unknown(word, &letter.to_string());
                return;
            };
            let rest = &word.text[at + letter.len_utf8()..];
            if !row.takes_value {
                if let Some(value) = rest.strip_prefix('=') {
                    self.push(row, Some(value.into()), word);
                    return;
                }
                self.push(row, None, word);
            } else if letters.peek().is_none() {
                self.push_with_next(row, word);
                return;
            } else {
                let value = rest.strip_prefix('=').unwrap_or(rest);
                self.push(row, Some(value.into()), word);
                return;
            }
        }
    }

    fn push(&mut self, row: &Syntax, value: Option<Arc<str>>, word: &Word<P>) {
        self.options.push(CommandOption {
            name: row.long,
            value,
            is_open: word.is_open,
            word: word.clone(),
        });
    }

    /// An option whose value is the next word.
    fn push_with_next(&mut self, row: &Syntax, word: &Word<P>) {
        match self.next() {
            Some(value) if !is_bare_variable(&value) => self.options.push(CommandOption {
                name: row.long,
                is_open: value.is_open,
                value: Some(value.text),
                word: word.clone(),
            }),
            Some(value) => {
                let why = format!("{} may stand for any number of words", value.text);
                self.unclear.get_or_insert((value, why));
            }
            None => {
                let why = format!("{} has no value", word.text);
                self.unclear.get_or_insert((word.clone(), why));
            }
        }
    }

    fn unknown(&mut self, word: &Word<P>, name: &str) {
        let why = format!("podseal does not know the option {name}");
        self.unclear.get_or_insert((word.clone(), why));
    }
}

#[cfg(test)]
mod tests;
