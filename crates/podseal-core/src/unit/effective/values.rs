//! The words that settings choose from.

use serde::Serialize;

/// Declares an enum whose variants are words of a setting.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $word)] $variant, )*
        }

        impl $name {
            /// The variant that this word names.
            ///
            /// # Errors
            /// Where none has the word; says which there are.
            pub(super) fn from_word(word: &str) -> Result<Self, String> {
                match word {
                    $( $word => Ok(Self::$variant), )*
                    _ => Err(format!("{word:?} is none of {}", [$($word),*].join(", "))),
                }
            }
        }
    };
}
pub(super) use words;

/// A signal by its number, see `signal(7)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Signal(pub u8);

/// Names without `SIG`, by number from 1, as on x86-64 and arm64.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

impl Signal {
    /// The name of a signal without `SIG`, unless it is a real-time one.
    #[must_use]
    pub fn name_of(number: i32) -> Option<&'static str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        SIGNALS.get(index).copied()
    }

    /// Reads a name with or without `SIG`, `RTMIN+N`, `RTMAX-N` or a number.
    pub(super) fn from_word(word: &str) -> Result<Self, String> {
        const RTMIN: u8 = 34;
        const RTMAX: u8 = 64;
        let name = word.strip_prefix("SIG").unwrap_or(word);
        let offset = |from: &str, sign: char| {
            let rest = name.strip_prefix(from)?;
            if rest.is_empty() {
                return Some(0);
            }
            rest.strip_prefix(sign)?
                .parse::<u8>()
                .ok()
                .filter(|offset| *offset <= RTMAX - RTMIN)
        };
        let number = if let Some(index) = SIGNALS.iter().position(|known| *known == name) {
            u8::try_from(index + 1).ok()
        } else if let Some(offset) = offset("RTMIN", '+') {
            Some(RTMIN + offset)
        } else if let Some(offset) = offset("RTMAX", '-') {
            Some(RTMAX - offset)
        } else {
            word.parse().ok().filter(|n| (1..=RTMAX).contains(n))
        };
        number
            .map(Self)
            .ok_or_else(|| format!("{word:?} is not a signal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        let cases = [
            ("SIGTERM", Some(15)),
            ("TERM", Some(15)),
            ("15", Some(15)),
            ("SIGSYS", Some(31)),
            ("SIGRTMIN", Some(34)),
            ("RTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("0", None),
            ("65", None),
            ("sigterm", None),
            ("RTMIN-1", None),
            ("RTMIN+99", None),
            ("", None),
        ];
        for (word, number) in cases {
            assert_eq!(Signal::from_word(word).ok().map(|s| s.0), number, "{word}");
        }
    }
}
