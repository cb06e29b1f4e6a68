//! Architectures podseal has filters for.

/// A system-call ABI, always a 64-bit little-endian one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// x86-64, `AUDIT_ARCH_X86_64`.
    X86_64,
    /// 64-bit ARM, `AUDIT_ARCH_AARCH64`.
    Aarch64,
}

/// The machine's architecture is not one that podseal has filters for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("podseal has no filter for the {name} architecture, only for x86_64 and aarch64")]
pub struct UnsupportedArchitecture {
    /// The architecture's name as Rust spells it.
    pub name: String,
}

impl Architecture {
    /// The architecture called `name` (as in [`std::env::consts::ARCH`]).
    ///
    /// # Errors
    /// There is no filter for it. Never treat that as "nothing to do".
    pub fn from_name(name: &str) -> Result<Self, UnsupportedArchitecture> {
        match name {
            "x86_64" => Ok(Self::X86_64),
            "aarch64" => Ok(Self::Aarch64),
            _ => Err(UnsupportedArchitecture {
                name: name.to_owned(),
            }),
        }
    }

    /// The architecture this program was built for.
    ///
    /// # Errors
    /// As [`Self::from_name`].
    pub fn native() -> Result<Self, UnsupportedArchitecture> {
        Self::from_name(std::env::consts::ARCH)
    }

    /// The kernel's token for it (`include/uapi/linux/audit.h`).
    #[must_use]
    pub const fn audit_token(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::Aarch64 => 0xc000_00b7,
        }
    }

    /// The number of `call` (`arch/x86/entry/syscalls/syscall_64.tbl`,
    /// `include/uapi/asm-generic/unistd.h`).
    #[must_use]
    pub const fn number(self, call: Call) -> u32 {
        let (x86_64, aarch64) = match call {
            Call::Socket => (41, 198),
            Call::SendTo => (44, 206),
            Call::SendMessage => (46, 211),
            Call::SendMessages => (307, 269),
            Call::SetSocketOption => (54, 208),
            Call::IoUringSetup => (425, 425),
            Call::IoUringEnter => (426, 426),
            Call::IoUringRegister => (427, 427),
        };
        match self {
            Self::X86_64 => x86_64,
            Self::Aarch64 => aarch64,
        }
    }
}

/// The system calls that filter rules name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// socket(2)
    Socket,
    /// sendto(2)
    SendTo,
    /// sendmsg(2)
    SendMessage,
    /// sendmmsg(2)
    SendMessages,
    /// setsockopt(2)
    SetSocketOption,
    /// io_uring_setup(2)
    IoUringSetup,
    /// io_uring_enter(2)
    IoUringEnter,
    /// io_uring_register(2)
    IoUringRegister,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_without_a_filter_is_an_error() {
        for name in ["x86", "s390x", "powerpc64", "riscv64", ""] {
            let error = Architecture::from_name(name).expect_err(name);
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(Architecture::native().is_ok());
    }
}
