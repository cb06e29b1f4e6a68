//! What a launch takes away from a process.

use super::families::FamilySet;

/// Restrictions beside no-new-privileges, which comes with any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restrictions {
    /// Families that socket(2) may still make; none for all.
    pub families: Option<FamilySet>,
    /// Whether system calls through a foreign ABI kill the process.
    pub native: bool,
    /// Whether io_uring looks absent.
    pub no_io_uring: bool,
}

impl Restrictions {
    /// All that level `families` has.
    #[must_use]
    pub const fn sealed(families: FamilySet) -> Self {
        Self {
            families: Some(families),
            native: true,
            no_io_uring: true,
        }
    }

    /// Whether they are a seal: no family that leads to an internet socket, and
    /// no way around that.
    #[must_use]
    pub fn is_seal(&self) -> bool {
        let local = FamilySet::default();
        self.native
            && self.no_io_uring
            && self
                .families
                .as_ref()
                .is_some_and(|set| set.iter().all(|family| local.contains(family)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_seal() {
        for (families, is_seal) in [
            ("none", true),
            ("AF_UNIX", true),
            ("AF_UNIX AF_NETLINK", true),
            ("AF_UNIX AF_INET", false),
            ("AF_VSOCK", false),
        ] {
            let set = FamilySet::parse(families).expect("valid");
            assert_eq!(Restrictions::sealed(set).is_seal(), is_seal, "{families}");
        }
        let open = Restrictions {
            families: None,
            ..Restrictions::sealed(FamilySet::default())
        };
        assert!(!open.is_seal());
    }
}
