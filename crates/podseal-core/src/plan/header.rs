//! The first lines of the drop-in: who made it and what for, so that a file of
//! somebody else's is told from one that may be replaced or removed.

use crate::policy::level::Level;

/// How every drop-in of podseal begins, its format's version included.
const MARK: &str = "# podseal seal 1: ";

/// What a drop-in was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The level of the seal.
    pub level: Level,
    /// The command lines of the service, see [`super::base`].
    pub base: u64,
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
        let Made { level, base } = self.made;
        let version = env!("CARGO_PKG_VERSION");
        let head = format!(
            "{MARK}level {level}, base {base:016x}, by podseal {version}\n\
             # `podseal seal` renews it and `podseal unseal {}` removes it, but not once it was edited.\n",
            self.unit
        );
        stamp(&head, body)
    }
}

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
    let level = fields.next()?.strip_prefix("level ")?;
    let base = fields.next()?.strip_prefix("base ")?;
    Some(Made {
        level: Level::ALL.into_iter().find(|l| l.to_string() == level)?,
        base: u64::from_str_radix(base, 16).ok()?,
    })
}

/// FNV-1a with 64 bits: it tells an edited text from the one that was written,
/// and is no protection from somebody who wants it to look unedited.
pub(super) fn hash(text: &str) -> u64 {
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
            level: Level::Standard,
            base: 0x0123,
        };
        let header = Header {
            made,
            unit: "web.service",
        };
        let text = header.write("[Service]\nNoNewPrivileges=yes\n");
        assert_eq!(read(&text), Found::Ours(made));
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
