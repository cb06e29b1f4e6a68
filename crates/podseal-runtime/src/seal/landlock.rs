//! Taking rights away from this process with landlock(7).

use landlock::{
    ABI, Access as _, AccessNet, BitFlags, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use podseal_core::policy::mechanism::{Landlock, MECHANISMS, Mechanism, Need};
use podseal_core::policy::seal::Seal;

/// Landlock is not there or lacks something.
#[derive(Debug, thiserror::Error)]
pub enum LandlockError {
    /// This kernel lacks a mechanism of the level.
    #[error(
        "this kernel lacks what level {level} needs for \"{title}\": Landlock ABI {abi} (Linux {linux})",
        level = .0.level, title = .0.title, abi = .1.since().0, linux = .1.since().1
    )]
    Missing(&'static Mechanism, Landlock),
    /// Landlock's own calls failed.
    #[error("cannot restrict this process with Landlock")]
    Restrict(#[from] RulesetError),
    /// The kernel took the rules and did not enforce them.
    #[error("Landlock did not enforce its rules")]
    NotEnforced,
}

impl LandlockError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        "a newer kernel has it; check that \"landlock\" is in /sys/kernel/security/lsm (boot \
         option lsm=), or ask for less: --best-effort to do without it, --level=families"
            .into()
    }
}

/// What is taken away: rights over the network, and scopes.
type Denied = (BitFlags<AccessNet>, BitFlags<Scope>);

fn denied(landlock: Landlock) -> Denied {
    let none = (BitFlags::EMPTY, BitFlags::EMPTY);
    match landlock {
        Landlock::ConnectTcp => (AccessNet::ConnectTcp.into(), none.1),
        Landlock::BindTcp => (AccessNet::BindTcp.into(), none.1),
        Landlock::Udp => (
            AccessNet::from_all(ABI::V10) & !AccessNet::from_all(ABI::V9),
            none.1,
        ),
        Landlock::Signal => (none.0, Scope::Signal.into()),
        Landlock::AbstractUnixSocket => (none.0, Scope::AbstractUnixSocket.into()),
    }
}

/// A set of rules that takes `denied` away and lets nothing through; an error
/// where the kernel does not know all of it.
fn ruleset((network, scopes): Denied) -> Result<Ruleset, RulesetError> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if !network.is_empty() {
        ruleset = ruleset.handle_access(network)?;
    }
    if !scopes.is_empty() {
        ruleset = ruleset.scope(scopes)?;
    }
    Ok(ruleset)
}

/// What this kernel does not have of what levels need Landlock for: each right
/// is asked for by itself, in a set of rules that is put on nobody.
#[must_use]
pub fn missing() -> Vec<&'static Mechanism> {
    let lacks = |mechanism: &&Mechanism| match mechanism.need {
        Need::Landlock(landlock) => ruleset(denied(landlock)).and_then(Ruleset::create).is_err(),
        Need::NoNewPrivileges | Need::Seccomp | Need::Container => false,
    };
    MECHANISMS.iter().copied().filter(lacks).collect()
}

/// Takes away what `mechanisms` say, all of it or, with [`Seal::best_effort`],
/// what this kernel knows, telling `warn` of the rest.
pub(super) fn restrict(
    seal: &Seal,
    mechanisms: &[&'static Mechanism],
    warn: &mut dyn FnMut(&'static Mechanism),
) -> Result<(), LandlockError> {
    let mut all: Denied = (BitFlags::EMPTY, BitFlags::EMPTY);
    for mechanism in mechanisms {
        let Need::Landlock(landlock) = mechanism.need else {
            continue;
        };
        if landlock == Landlock::Udp && seal.allow_udp {
            continue;
        }
        let denied = denied(landlock);
        if ruleset(denied).is_ok() {
            all = (all.0 | denied.0, all.1 | denied.1);
        } else if mechanism.is_required {
            if !seal.best_effort {
                return Err(LandlockError::Missing(mechanism, landlock));
            }
            warn(mechanism);
        }
    }
    if all.0.is_empty() && all.1.is_empty() {
        return Ok(());
    }
    let status = ruleset(all)?
        .create()?
        .no_new_privs(false)
        .restrict_self()?;
    if status.ruleset == RulesetStatus::FullyEnforced {
        Ok(())
    } else {
        Err(LandlockError::NotEnforced)
    }
}
