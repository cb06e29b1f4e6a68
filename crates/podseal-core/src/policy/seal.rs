//! A seal as it is asked for.

use super::families::FamilySet;
use super::level::Level;

/// What a service is to be sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seal {
    /// Which mechanisms.
    pub level: Level,
    /// Families that socket(2) may still make.
    pub families: FamilySet,
    /// Whether UDP sockets are accepted, which no level can seal.
    pub allow_udp: bool,
    /// Whether to go on without what this kernel does not have.
    pub best_effort: bool,
}

impl Seal {
    /// The options that ask the launcher for this seal.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let mut options = vec![
            format!("--level={}", self.level),
            format!("--families={}", self.families),
        ];
        let flags = [
            (self.allow_udp, "--allow-udp"),
            (self.best_effort, "--best-effort"),
        ];
        options.extend(
            flags
                .iter()
                .filter(|(wanted, _)| *wanted)
                .map(|(_, flag)| (*flag).to_owned()),
        );
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_everything_that_was_asked_for() {
        let seal = Seal::default();
        let default = ["--level=standard", "--families=AF_UNIX AF_NETLINK"];
        assert_eq!(seal.options(), default);
        let seal = Seal {
            level: Level::Families,
            allow_udp: true,
            best_effort: true,
            ..Seal::default()
        };
        let options = seal.options();
        assert_eq!(options[0], "--level=families");
        assert_eq!(options[2..], ["--allow-udp", "--best-effort"]);
    }
}
