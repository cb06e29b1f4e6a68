//! Unsigned numbers as systemd's `safe_atou()` family reads them.

use thiserror::Error;

/// Why a text is no unsigned number of the wanted size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NumberError {
    /// Not a number at all (EINVAL in systemd).
    #[error("not a number")]
    Invalid,
    /// A number that does not fit (ERANGE in systemd).
    #[error("number out of range")]
    OutOfRange,
}

/// Reads an unsigned number as `strtoul(…, base 0)` does: an optional sign,
/// then `0x`, `0o` or `0b` and digits, a leading `0` for octal, or decimal.
/// A negative number is out of range, `-0` is zero. Leading blanks are refused.
pub(crate) fn parse_unsigned(text: &str, max: u64) -> Result<u64, NumberError> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(NumberError::Invalid);
    }
    match u64::from_str_radix(digits, radix) {
        Ok(value) if value <= max && !(negative && value != 0) => Ok(value),
        _ => Err(NumberError::OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_signs_and_limits() {
        let cases = [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("+8080", Ok(8080)),
            ("0x50", Ok(80)),
            ("0X5f", Ok(95)),
            ("010", Ok(8)),
            ("0o17", Ok(15)),
            ("0b101", Ok(5)),
            ("65535", Ok(65535)),
            ("65536", Err(NumberError::OutOfRange)),
            ("99999999999999999999999", Err(NumberError::OutOfRange)),
            ("-1", Err(NumberError::OutOfRange)),
            ("", Err(NumberError::Invalid)),
            ("+", Err(NumberError::Invalid)),
            ("0x", Err(NumberError::Invalid)),
            ("08", Err(NumberError::Invalid)),
            ("1e3", Err(NumberError::Invalid)),
            ("1 ", Err(NumberError::Invalid)),
            (" 1", Err(NumberError::Invalid)),
            ("++1", Err(NumberError::Invalid)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_unsigned(text, 65535), expected, "{text:?}");
        }
    }
}
