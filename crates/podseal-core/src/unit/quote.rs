//! The other way of [`super::words`]: a text as one word of a unit file.

use std::fmt::Write as _;

/// Writes a text as one word of a command line, in double quotes where that is
/// needed. Specifiers and variables keep their meaning: a literal `%` or `$` is
/// doubled before.
#[must_use]
pub fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%$~^{}[]()!*?#&|<>".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_ascii_control() => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text in which nothing is a specifier.
#[must_use]
pub fn without_specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// A text in which nothing is a variable, for commands without the prefix `:`.
#[must_use]
pub fn without_variables(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_them_gets_quotes() {
        for (text, expected) in [
            ("/usr/bin/podman", "/usr/bin/podman"),
            ("--level=standard", "--level=standard"),
            ("%t/%n", "%t/%n"),
            ("", r#""""#),
            (";", r#"";""#),
            ("a b", r#""a b""#),
            ("it's", r#""it's""#),
            (r#"a"\"#, r#""a\"\\""#),
            ("a\nb\u{7f}", r#""a\x0ab\x7f""#),
            ("\u{e4}", "\"\u{e4}\""),
        ] {
            assert_eq!(quote(text), expected, "{text:?}");
        }
    }
}
