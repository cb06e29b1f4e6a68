//! Environment files, and variables in commands.

use super::words::{Flags, Words};

/// Reads an environment file: the assignments in it, in order.
///
/// Follows `EnvironmentFile=` in systemd.exec(5) and systemd's
/// `parse_env_file_internal()`. What is no assignment to a valid name is passed
/// over.
#[must_use]
pub fn parse_file(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.peek().copied() {
        if first.is_ascii_whitespace() {
            characters.next();
        } else if matches!(first, '#' | ';') {
            skip_comment(&mut characters);
        } else {
            let mut name = String::new();
            let ended = loop {
                match characters.next() {
                    Some('=') => break false,
                    None | Some('\n' | '\r') => break true,
                    Some(other) => name.push(other),
                }
            };
            if !ended {
                let value = value(&mut characters);
                let name = name.trim_end();
                if is_name(name) {
                    found.push((name.to_owned(), value));
                }
            }
        }
    }
    found
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn is_newline(character: char) -> bool {
    matches!(character, '\n' | '\r')
}

/// A backslash takes the next line into the comment.
fn skip_comment(characters: &mut Characters<'_>) {
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if is_newline(character) {
            return;
        }
    }
}

/// Quotes may begin where nothing unquoted stands before; blanks around what
/// is unquoted are dropped.
fn value(characters: &mut Characters<'_>) -> String {
    let mut value = String::new();
    let mut unquoted = false;
    // How long the value is without blanks at its end.
    let mut length = 0;
    while let Some(character) = characters.next() {
        match character {
            _ if is_newline(character) => break,
            '\\' => {
                if let Some(next) = characters.next().filter(|next| !is_newline(*next)) {
                    value.push(next);
                }
                unquoted = true;
                length = value.len();
            }
            '\'' if !unquoted => {
                value.extend(characters.take_while(|next| *next != '\''));
                length = value.len();
            }
            '"' if !unquoted => {
                double_quoted(characters, &mut value);
                length = value.len();
            }
            _ if character.is_ascii_whitespace() => {
                if unquoted {
                    value.push(character);
                }
            }
            _ => {
                unquoted = true;
                value.push(character);
                length = value.len();
            }
        }
    }
    value.truncate(length);
    value
}

fn double_quoted(characters: &mut Characters<'_>, value: &mut String) {
    while let Some(character) = characters.next() {
        match character {
            '"' => return,
            '\\' => match characters.next() {
                Some(next @ ('"' | '\\' | '`' | '$')) => value.push(next),
                Some('\n') | None => {}
                Some(next) => value.extend(['\\', next]),
            },
            _ => value.push(character),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Replaces variables in the arguments of a command: `${NAME}` anywhere, by its
/// value; `$NAME` as an argument of its own, by the words of its value; `$$` by
/// a dollar. What is not set is empty.
///
/// Follows "Command lines" in systemd.service(5) and systemd's
/// `replace_env_argv()`.
#[must_use]
pub fn expand(arguments: &[String], variable: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut expanded = Vec::new();
    for argument in arguments {
        match argument.strip_prefix('$') {
            Some(name) if !name.is_empty() && !name.starts_with(['{', '$']) => {
                let value = variable(name).unwrap_or_default();
                let mut words = Words::new(&value);
                while let Ok(Some(word)) = words.next_word(Flags::UNQUOTE | Flags::RELAX) {
                    expanded.push(word);
                }
            }
            _ => expanded.push(replace(argument, variable)),
        }
    }
    expanded
}

fn replace(argument: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut replaced = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('$') {
        replaced.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            replaced.push('$');
            rest = after;
        } else if let Some((name, after)) = rest
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
        {
            replaced.push_str(&variable(name).unwrap_or_default());
            rest = after;
        } else {
            replaced.push('$');
        }
    }
    replaced + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let text = "# comment \\\ngoes on\n; other\nA=1\nB = two words  \nC='a b'\" c\"\n\
                    D=\"x\\\"y\\n\\$\"\nE=a\\\nb\\c\n1X=no\nnothing\nF=\nG=a'b'\n  H=\"two\nlines\"\nI=end";
        let found = parse_file(text);
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "a b c"),
            ("D", "x\"y\\n$"),
            ("E", "abc"),
            ("F", ""),
            ("G", "a'b'"),
            ("H", "two\nlines"),
            ("I", "end"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn variables() {
        let variable = |name: &str| match name {
            "ONE" => Some("one".to_owned()),
            "TWO" => Some("two two".to_owned()),
            "QUOTED" => Some("'a b' c".to_owned()),
            _ => None,
        };
        for (argument, expected) in [
            ("${ONE}", &["one"][..]),
            ("x${ONE}y${TWO}", &["xoneytwo two"]),
            ("${TWO}", &["two two"]),
            ("$TWO", &["two", "two"]),
            ("$QUOTED", &["a b", "c"]),
            ("$NONE", &[]),
            ("${NONE}", &[""]),
            ("x$ONE", &["x$ONE"]),
            ("$$ONE", &["$ONE"]),
            ("a$$", &["a$"]),
            ("${ONE", &["${ONE"]),
            ("$", &["$"]),
            ("", &[""]),
        ] {
            let arguments = [argument.to_owned()];
            assert_eq!(expand(&arguments, &variable), expected, "{argument}");
        }
    }
}
