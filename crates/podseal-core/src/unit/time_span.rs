//! Lengths of time, see `systemd.time(7)`.

use std::time::Duration;

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::WHITESPACE;

/// A length of time, in microseconds, or no end at all.
///
/// Serializes as a number of microseconds or the text `infinity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimeSpan {
    /// A whole number of microseconds.
    Finite(Duration),
    /// `infinity`: no limit.
    Infinity,
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Finite(span) => serializer.serialize_u128(span.as_micros()),
            Self::Infinity => serializer.serialize_str("infinity"),
        }
    }
}

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimeSpanError {
    /// Nothing, an unknown unit, or a malformed number.
    #[error("{value:?} is not a time span such as 90, 500ms or 1min 30s")]
    Invalid {
        /// The whole text.
        value: String,
    },
    /// Negative, or longer than some 584,000 years.
    #[error("time span {value:?} is out of range")]
    OutOfRange {
        /// The whole text.
        value: String,
    },
}

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// 365.25 days.
const YEAR: u64 = 365 * DAY + 6 * HOUR;
/// A twelfth of a year, 30.4375 days.
const MONTH: u64 = YEAR / 12;

/// Unit names and their lengths in microseconds. The first that the text starts
/// with counts, so a name stands before every shorter one that begins it.
const UNITS: &[(&str, u64)] = &[
    ("seconds", SECOND),
    ("second", SECOND),
    ("sec", SECOND),
    ("s", SECOND),
    ("minutes", MINUTE),
    ("minute", MINUTE),
    ("min", MINUTE),
    ("months", MONTH),
    ("month", MONTH),
    ("M", MONTH),
    ("msec", 1_000),
    ("ms", 1_000),
    ("m", MINUTE),
    ("hours", HOUR),
    ("hour", HOUR),
    ("hr", HOUR),
    ("h", HOUR),
    ("days", DAY),
    ("day", DAY),
    ("d", DAY),
    ("weeks", WEEK),
    ("week", WEEK),
    ("w", WEEK),
    ("years", YEAR),
    ("year", YEAR),
    ("y", YEAR),
    ("usec", 1),
    ("us", 1),
    // GREEK SMALL LETTER MU and MICRO SIGN.
    ("\u{3bc}s", 1),
    ("\u{b5}s", 1),
];

impl TimeSpan {
    /// Reads a time span whose numbers without a unit are seconds, as
    /// systemd's `parse_sec()`.
    ///
    /// # Errors
    /// Where the text is none.
    pub fn parse_seconds(value: &str) -> Result<Self, TimeSpanError> {
        match parse(value) {
            Ok(Some(micros)) => Ok(Self::Finite(Duration::from_micros(micros))),
            Ok(None) => Ok(Self::Infinity),
            Err(Refusal::Invalid) => Err(TimeSpanError::Invalid {
                value: value.to_owned(),
            }),
            Err(Refusal::OutOfRange) => Err(TimeSpanError::OutOfRange {
                value: value.to_owned(),
            }),
        }
    }

    /// As [`TimeSpan::parse_seconds`], with 0 for no limit, as `TimeoutSec=`
    /// and its like read it (`parse_sec_fix_0()`).
    ///
    /// # Errors
    /// Where the text is no time span.
    pub fn parse_seconds_zero_is_infinity(value: &str) -> Result<Self, TimeSpanError> {
        Self::parse_seconds(value).map(|span| match span {
            Self::Finite(Duration::ZERO) => Self::Infinity,
            other => other,
        })
    }

    /// As [`TimeSpan::parse_seconds`], with nothing for no limit
    /// (`parse_sec_def_infinity()`).
    ///
    /// # Errors
    /// Where the text is no time span.
    pub fn parse_seconds_empty_is_infinity(value: &str) -> Result<Self, TimeSpanError> {
        if value.trim_matches(WHITESPACE).is_empty() {
            return Ok(Self::Infinity);
        }
        Self::parse_seconds(value)
    }
}

enum Refusal {
    Invalid,
    OutOfRange,
}

/// Microseconds, or `None` for infinity.
fn parse(value: &str) -> Result<Option<u64>, Refusal> {
    let mut rest = value.trim_start_matches(WHITESPACE);
    if let Some(after) = rest.strip_prefix("infinity") {
        return if after.trim_matches(WHITESPACE).is_empty() {
            Ok(None)
        } else {
            Err(Refusal::Invalid)
        };
    }
    let mut total: u64 = 0;
    let mut add = |amount: u64| {
        total = total
            .checked_add(amount)
            // The highest number stands for infinity.
            .filter(|total| *total < u64::MAX)
            .ok_or(Refusal::OutOfRange)?;
        Ok(total)
    };
    if rest.is_empty() {
        return Err(Refusal::Invalid);
    }
    loop {
        let Number {
            whole,
            fraction,
            after,
        } = number(rest)?;
        let unit_text = after.trim_start_matches(WHITESPACE);
        let unit = UNITS.iter().find(|(name, _)| unit_text.starts_with(name));
        let (next, multiplier) = match unit {
            Some((name, length)) => (&unit_text[name.len()..], *length),
            None => (unit_text, SECOND),
        };
        // "12.34.56" is wrong, "12.34 .56" and "12.34s.56" are not.
        if unit.is_none() && unit_text.len() == after.len() && !after.is_empty() {
            return Err(Refusal::Invalid);
        }
        let amount = whole.checked_mul(multiplier).ok_or(Refusal::OutOfRange)?;
        let mut sum = add(amount)?;
        let mut place = multiplier / 10;
        for digit in fraction.unwrap_or_default().bytes() {
            sum = add(u64::from(digit - b'0') * place)?;
            place /= 10;
        }
        rest = next.trim_start_matches(WHITESPACE);
        if rest.is_empty() {
            return Ok(Some(sum));
        }
    }
}

struct Number<'a> {
    whole: u64,
    /// The digits after the point, at least one.
    fraction: Option<&'a str>,
    after: &'a str,
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

/// An unsigned decimal number with an optional plus sign and fraction.
fn number(text: &str) -> Result<Number<'_>, Refusal> {
    if text.starts_with('-') {
        return Err(Refusal::OutOfRange);
    }
    let (digits, after) = split_digits(text.strip_prefix('+').unwrap_or(text));
    if digits.is_empty() && !text.starts_with('.') {
        return Err(Refusal::Invalid);
    }
    let whole = match digits {
        "" => 0,
        // As strtoll(3): no more than a signed number holds.
        digits => digits
            .parse::<i64>()
            .ok()
            .and_then(|number| u64::try_from(number).ok())
            .ok_or(Refusal::OutOfRange)?,
    };
    let Some(point) = after.strip_prefix('.') else {
        return Ok(Number {
            whole,
            fraction: None,
            after,
        });
    };
    let (fraction, after) = split_digits(point);
    if fraction.is_empty() {
        return Err(Refusal::Invalid);
    }
    Ok(Number {
        whole,
        fraction: Some(fraction),
        after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_fractions() {
        let micros = |text: &str| match TimeSpan::parse_seconds(text) {
            Ok(TimeSpan::Finite(span)) => Some(span.as_micros()),
            _ => None,
        };
        assert_eq!(
            micros("1y 12month 5d 2h 4m 6s 7ms 8us"),
            Some(63_554_646_007_008)
        );
        assert_eq!(micros("2w"), Some(1_209_600_000_000));
        assert_eq!(micros("1.5min"), Some(90_000_000));
        assert_eq!(micros("12.34 .56"), Some(12_900_000));
        assert_eq!(micros("12.34s.56"), Some(12_900_000));
        assert_eq!(micros("1 2"), Some(3_000_000));
        assert_eq!(micros("5m5"), Some(305_000_000));
        assert_eq!(micros("0.0000001"), Some(0));
    }

    #[test]
    fn refused() {
        for text in [
            "",
            " ",
            "-1",
            "12.34.56",
            "1x",
            "1 x",
            "s",
            "+",
            "+.5",
            "infinity s",
        ] {
            assert!(TimeSpan::parse_seconds(text).is_err(), "{text:?}");
        }
        for text in ["18446744073709551615us", "9223372036854775807s", "-0"] {
            assert!(
                matches!(
                    TimeSpan::parse_seconds(text),
                    Err(TimeSpanError::OutOfRange { .. })
                ),
                "{text:?}"
            );
        }
    }

    #[test]
    fn every_unit_name_is_reachable() {
        for (name, length) in UNITS {
            let expected = TimeSpan::Finite(Duration::from_micros(*length));
            assert_eq!(
                TimeSpan::parse_seconds(&format!("1{name}")),
                Ok(expected),
                "{name}"
            );
        }
    }
}
