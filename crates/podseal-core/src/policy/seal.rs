//! A seal as it is asked for.

use super::families::FamilySet;
use super::level::Level;
use super::mechanism::{self, Mechanism};

/// What [`Seal::allows_connect`] comes to, for reports.
pub const ALLOW_CONNECT: &str = "connect(2) is allowed in the container (--allow-connect): it reaches the UNIX sockets that it sees";

/// A part of its level that a seal was told to let be: something that every
/// report has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The option that said so.
    pub option: String,
    /// What it comes to, for reports.
    pub text: String,
}

const ALLOW_UDP: &str = "UDP sockets that were handed over are accepted (--allow-udp): below Landlock ABI 10 they can be turned outward";
const BEST_EFFORT: &str = "what this kernel lacks of the level is left out without an error (--best-effort): what that opens is among the probes";

/// What a service is to be sealed with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seal {
    /// Which mechanisms.
    pub level: Level,
    /// Families that socket(2) may still make.
    pub families: FamilySet,
    /// Whether UDP sockets are accepted, which no level can seal.
    pub allow_udp: bool,
    /// Whether the container may call connect(2) in spite of level strict.
    pub allow_connect: bool,
    /// Whether to go on without what this kernel does not have.
    pub best_effort: bool,
    /// What to leave out, for a unit that does not ask for it.
    pub without: Without,
}

/// Parts of level `families` that a launch leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Without {
    /// The list of socket families.
    pub families: bool,
    /// That a foreign system-call ABI kills the process.
    pub abi: bool,
    /// That io_uring looks absent.
    pub io_uring: bool,
}

impl Seal {
    /// A seal of level `families`, which is what systemd's own directives make.
    #[must_use]
    pub fn of_families(families: FamilySet) -> Self {
        Self {
            level: Level::Families,
            families,
            ..Self::default()
        }
    }

    /// Whether it is one: no family that leads to an internet socket, and no way
    /// around that.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.without == Without::default() && self.wider_families() == FamilySet::none()
    }

    /// Whether the container may call connect(2) although the level takes that
    /// away: something that every report has to say.
    #[must_use]
    pub fn allows_connect(&self) -> bool {
        self.allow_connect && self.level >= mechanism::NO_CONNECT.level
    }

    /// Families that it allows, and Podman does not need.
    #[must_use]
    pub fn wider_families(&self) -> FamilySet {
        let local = FamilySet::default();
        let wider = self.families.iter();
        wider.filter(|family| !local.contains(*family)).collect()
    }

    /// What was asked to be let be of its level.
    #[must_use]
    pub fn given_up(&self) -> Vec<GivenUp> {
        let given_up = |option: &str, text: &str| GivenUp {
            option: option.to_owned(),
            text: text.to_owned(),
        };
        let asked = [
            (self.best_effort, "--best-effort", BEST_EFFORT),
            (self.allow_udp, "--allow-udp", ALLOW_UDP),
            (self.allows_connect(), "--allow-connect", ALLOW_CONNECT),
        ];
        let asked = asked.into_iter().filter(|(is_asked, ..)| *is_asked);
        let mut asked: Vec<GivenUp> = asked
            .map(|(_, option, text)| given_up(option, text))
            .collect();
        let wider = self.wider_families();
        if wider != FamilySet::none() {
            let option = format!("--families={}", self.families);
            let text = format!(
                "sockets of {wider} can be made as well ({option}), and lead to wherever these do: no level is kept with that"
            );
            asked.push(GivenUp { option, text });
        }
        asked
    }

    /// What it leaves open: what its level does, and what was asked for on top of
    /// that.
    #[must_use]
    pub fn residual_risks(&self) -> Vec<String> {
        let asked = self.given_up().into_iter().map(|part| part.text);
        let level = self.level.residual_risks().iter();
        asked.chain(level.map(|risk| (*risk).to_owned())).collect()
    }

    /// The mechanisms that it consists of.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<&'static Mechanism> {
        let left_out = [
            (&mechanism::NO_CONNECT, self.allow_connect),
            (&mechanism::FAMILIES, self.without.families),
            (&mechanism::NATIVE_ABI, self.without.abi),
            (&mechanism::NO_IO_URING, self.without.io_uring),
        ];
        mechanism::of(self.level)
            .filter(|mechanism| !left_out.contains(&(*mechanism, true)))
            .collect()
    }

    /// The options that ask the launcher for this seal.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let mut options = vec![
            format!("--level={}", self.level),
            format!("--families={}", self.families),
        ];
        let flags = [
            (self.allow_udp, "--allow-udp"),
            (self.allow_connect, "--allow-connect"),
            (self.best_effort, "--best-effort"),
            (self.without.families, "--without=families"),
            (self.without.abi, "--without=abi"),
            (self.without.io_uring, "--without=io-uring"),
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
    fn what_holds() {
        for (families, holds) in [
            ("none", true),
            ("AF_UNIX", true),
            ("AF_UNIX AF_NETLINK", true),
            ("AF_UNIX AF_INET", false),
            ("AF_VSOCK", false),
        ] {
            let set = FamilySet::parse(families).expect("valid");
            assert_eq!(Seal::of_families(set).holds(), holds, "{families}");
        }
        let open = Seal {
            without: Without {
                families: true,
                ..Without::default()
            },
            ..Seal::default()
        };
        assert!(!open.holds());
    }

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
