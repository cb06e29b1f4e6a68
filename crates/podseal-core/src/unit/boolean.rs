//! Truth values, see `systemd.syntax(7)`.

/// Reads a truth value in any letter case, as systemd's `parse_boolean()`.
/// `None` where the text is none.
#[must_use]
pub fn parse_boolean(text: &str) -> Option<bool> {
    const TRUE: &[&str] = &["1", "yes", "y", "true", "t", "on"];
    const FALSE: &[&str] = &["0", "no", "n", "false", "f", "off"];
    let is_one_of = |words: &[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(text));
    if is_one_of(TRUE) {
        Some(true)
    } else if is_one_of(FALSE) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for text in ["1", "YES", "y", "True", "t", "oN"] {
            assert_eq!(parse_boolean(text), Some(true), "{text}");
        }
        for text in ["0", "No", "n", "FALSE", "f", "off"] {
            assert_eq!(parse_boolean(text), Some(false), "{text}");
        }
        for text in ["", " yes", "2", "yes no", "enabled", "ja"] {
            assert_eq!(parse_boolean(text), None, "{text:?}");
        }
    }
}
