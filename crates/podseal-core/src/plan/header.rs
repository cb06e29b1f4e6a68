//! The first lines of the drop-in: who made it and what for, so that a file of
//! somebody else's is told from one that may be replaced or removed.

use super::GivenUp;
use crate::policy::level::Level;

/// How every drop-in of podseal begins, its format's version included.
const MARK: &str = "# podseal seal 1: ";

/// The options that say what is given up.
const UDP: &str = "--allow-udp";
const BEST_EFFORT: &str = "--best-effort";

/// What a drop-in was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The level of the seal.
    pub level: Level,
    /// What is given up of it.
    pub given_up: GivenUp,
    /// The command lines of the service, see [`super::base`].
    pub base: u64,
    /// [`hash`] of the container's seccomp profile, at level strict.
    pub profile: Option<u64>,
    /// Whether the container may call connect(2) in spite of level strict.
    pub allow_connect: bool,
}

/// What is in the place of the drop-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Podseal's, as it wrote it.
    Ours(Made),
    /// Podseal's, and changed since.
    Edited,
    /// A file that podseal did not write.
    Foreign,
}

/// The comment before the settings.
pub(super) struct Header<'a> {
    pub(super) made: Made,
    pub(super) unit: &'a str,
}

impl Header<'_> {
    /// The whole drop-in.
    pub(super) fn write(&self, body: &str) -> String {
        let Made {
            level,
            given_up,
            base,
            profile,
            allow_connect,
        } = self.made;
        let mut flags = String::new();
        for (flag, is_given_up) in [(UDP, given_up.udp), (BEST_EFFORT, given_up.best_effort)] {
            if is_given_up {
                flags.extend([" ", flag]);
            }
        }
        let mut made = vec![format!("level {level}{flags}"), format!("base {base:016x}")];
        made.extend(profile.map(|hash| format!("profile {hash:016x}")));
        made.extend(allow_connect.then(|| ALLOW_CONNECT.to_owned()));
        let made = made.join(", ");
        let version = env!("CARGO_PKG_VERSION");
        let head = format!(
            "{MARK}{made}, by podseal {version}\n\
             # `podseal seal` renews it and `podseal unseal {}` removes it, but not once it was edited.\n",
            self.unit
        );
        stamp(&head, body)
    }
}

/// Says what the seal does without.
const ALLOW_CONNECT: &str = "connect(2) allowed in the container";

/// Before the hash of everything else in the file.
const CONTENT: &str = "# content ";

/// A file with a hash of its lines before and after the hash.
pub(crate) fn stamp(head: &str, body: &str) -> String {
    let content = hash(&(head.to_owned() + body));
    format!("{head}{CONTENT}{content:016x}\n{body}")
}

/// The lines before and after the hash, where it is theirs.
pub(crate) fn stamped(text: &str) -> Option<(&str, &str)> {
    let (head, rest) = text.split_at(text.find(CONTENT)?);
    let (content, body) = rest.strip_prefix(CONTENT)?.split_once('\n')?;
    (content == format!("{:016x}", hash(&(head.to_owned() + body)))).then_some((head, body))
}

/// Tells whose a drop-in is.
#[must_use]
pub fn read(text: &str) -> Found {
    let Some(marked) = text.strip_prefix(MARK) else {
        return Found::Foreign;
    };
    made(text, marked).map_or(Found::Edited, Found::Ours)
}

fn made(text: &str, marked: &str) -> Option<Made> {
    stamped(text)?;
    let mut fields = marked.lines().next()?.split(", ");
    let mut words = fields.next()?.strip_prefix("level ")?.split(' ');
    let level = words.next()?;
    let flags: Vec<&str> = words.collect();
    let number = |text| u64::from_str_radix(text, 16).ok();
    let base = number(fields.next()?.strip_prefix("base ")?)?;
    let profile = fields
        .clone()
        .find_map(|field| field.strip_prefix("profile "));
    Some(Made {
        level: Level::ALL.into_iter().find(|l| l.to_string() == level)?,
        given_up: GivenUp {
            udp: flags.contains(&UDP),
            best_effort: flags.contains(&BEST_EFFORT),
        },
        base,
        profile: profile
            .map(number)
            .map_or(Some(None), |profile| profile.map(Some))?,
        allow_connect: fields.any(|field| field == ALLOW_CONNECT),
    })
}

/// FNV-1a with 64 bits: it tells an edited text from the one that was written,
/// and is no protection from somebody who wants it to look unedited.
#[must_use]
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // Values of the authors' test suite.
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn every_edit_is_noticed() {
        let made = Made {
            level: Level::Strict,
            given_up: GivenUp {
                udp: true,
                best_effort: true,
            },
            base: 0x0123,
            profile: Some(7),
            allow_connect: true,
        };
        let write = |made| {
            let unit = "web.service";
            Header { made, unit }.write("[Service]\nNoNewPrivileges=yes\n")
        };
        let text = write(made);
        assert!(
            text.starts_with("# podseal seal 1: level strict --allow-udp --best-effort, base "),
            "{text}"
        );
        assert_eq!(read(&text), Found::Ours(made));
        let less = Made {
            level: Level::Standard,
            profile: None,
            allow_connect: false,
            ..made
        };
        assert_eq!(read(&write(less)), Found::Ours(less));
        for (at, _) in text.char_indices().skip(MARK.len()) {
            let mut edited = text.clone();
            edited.remove(at);
            assert_eq!(read(&edited), Found::Edited, "without byte {at}");
            edited.insert(at, '~');
            assert_eq!(read(&edited), Found::Edited, "with another byte {at}");
        }
        for foreign in ["", "[Service]\n", &text[1..], &format!("\n{text}")] {
            assert_eq!(read(foreign), Found::Foreign, "{foreign}");
        }
    }
}
