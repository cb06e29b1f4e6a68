//! Classic BPF programs as seccomp(2) runs them: the instructions podseal
//! needs, and an interpreter that says what a program answers.
//!
//! Source: seccomp(2), and the kernel's `Documentation/userspace-api/seccomp_filter.rst`.

/// One instruction, laid out as the kernel's `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation code.
    pub code: u16,
    /// Instructions to skip when a comparison holds.
    pub jump_true: u8,
    /// Instructions to skip when it does not.
    pub jump_false: u8,
    /// Operand.
    pub operand: u32,
}

/// Offsets into the kernel's `struct seccomp_data`, in bytes.
pub mod offset {
    /// System-call number.
    pub const NUMBER: u32 = 0;
    /// `AUDIT_ARCH_*` of the caller.
    pub const ARCHITECTURE: u32 = 4;

    /// Low 32 bits of argument `index` (0 to 5) on a little-endian machine.
    #[must_use]
    pub const fn argument_low(index: u8) -> u32 {
        16 + 8 * index as u32
    }
}

const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_GREATER_EQUAL: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Loads the 32-bit word at `offset` of `struct seccomp_data`.
#[must_use]
pub const fn load(offset: u32) -> Instruction {
    instruction(LOAD_WORD, 0, 0, offset)
}

/// Skips `then` instructions when the word equals `value`, else `otherwise`.
#[must_use]
pub const fn jump_equal(value: u32, then: u8, otherwise: u8) -> Instruction {
    instruction(JUMP_EQUAL, then, otherwise, value)
}

/// Skips `then` instructions when the word is at least `value`, else `otherwise`.
#[must_use]
pub const fn jump_greater_equal(value: u32, then: u8, otherwise: u8) -> Instruction {
    instruction(JUMP_GREATER_EQUAL, then, otherwise, value)
}

/// Skips `then` instructions when the word has any of `bits`, else `otherwise`.
#[must_use]
pub const fn jump_any_bit(bits: u32, then: u8, otherwise: u8) -> Instruction {
    instruction(JUMP_ANY_BIT, then, otherwise, bits)
}

/// Keeps only the bits of `mask` in the word.
#[must_use]
pub const fn and(mask: u32) -> Instruction {
    instruction(AND, 0, 0, mask)
}

/// Ends the program with `action`.
#[must_use]
pub const fn answer(action: Action) -> Instruction {
    instruction(RETURN, 0, 0, action.encode())
}

const fn instruction(code: u16, jump_true: u8, jump_false: u8, operand: u32) -> Instruction {
    Instruction {
        code,
        jump_true,
        jump_false,
        operand,
    }
}

/// What a program answers for a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The call goes on (`SECCOMP_RET_ALLOW`).
    Allow,
    /// The call fails with this errno (`SECCOMP_RET_ERRNO`).
    Errno(u16),
    /// The process is killed with SIGSYS (`SECCOMP_RET_KILL_PROCESS`).
    KillProcess,
}

impl Action {
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    const KILL_PROCESS: u32 = 0x8000_0000;

    const fn encode(self) -> u32 {
        match self {
            Self::Allow => Self::ALLOW,
            Self::Errno(errno) => Self::ERRNO | errno as u32,
            Self::KillProcess => Self::KILL_PROCESS,
        }
    }

    fn decode(word: u32) -> Option<Self> {
        match word & 0xffff_0000 {
            Self::ALLOW => Some(Self::Allow),
            Self::ERRNO => u16::try_from(word & 0xffff).ok().map(Self::Errno),
            Self::KILL_PROCESS => Some(Self::KillProcess),
            _ => None,
        }
    }
}

/// A system call as a filter sees it (`struct seccomp_data`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SystemCall {
    /// System-call number.
    pub number: u32,
    /// `AUDIT_ARCH_*` of the caller.
    pub architecture: u32,
    /// The six arguments, unused ones included.
    pub arguments: [u64; 6],
}

impl SystemCall {
    fn word(&self, offset: u32) -> Option<u32> {
        match offset {
            offset::NUMBER => Some(self.number),
            offset::ARCHITECTURE => Some(self.architecture),
            16..64 if offset.is_multiple_of(4) => {
                let argument = self.arguments[usize::try_from((offset - 16) / 8).ok()?];
                let half = if offset.is_multiple_of(8) {
                    argument & 0xffff_ffff
                } else {
                    argument >> 32
                };
                u32::try_from(half).ok()
            }
            _ => None,
        }
    }
}

/// Why the kernel would refuse a program, or the interpreter could not run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("instruction {at} of the filter program is not valid")]
pub struct InvalidProgram {
    /// Index of the instruction.
    pub at: usize,
}

/// A whole filter program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(Vec<Instruction>);

impl Program {
    /// Makes a program of `instructions`.
    #[must_use]
    pub fn new(instructions: Vec<Instruction>) -> Self {
        Self(instructions)
    }

    /// The instructions in order.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.0
    }

    /// Runs the program on `call` as the kernel would.
    ///
    /// # Errors
    /// The program runs past its end, or has an instruction, an offset or an
    /// answer that podseal does not emit.
    pub fn run(&self, call: &SystemCall) -> Result<Action, InvalidProgram> {
        let mut accumulator = 0;
        let mut at = 0;
        loop {
            let invalid = InvalidProgram { at };
            let Instruction {
                code,
                jump_true,
                jump_false,
                operand,
            } = *self.0.get(at).ok_or(invalid)?;
            let branch = |holds| usize::from(if holds { jump_true } else { jump_false });
            at += 1;
            match code {
                LOAD_WORD => accumulator = call.word(operand).ok_or(invalid)?,
                JUMP_EQUAL => at += branch(accumulator == operand),
                JUMP_GREATER_EQUAL => at += branch(accumulator >= operand),
                JUMP_ANY_BIT => at += branch(accumulator & operand != 0),
                AND => accumulator &= operand,
                RETURN => return Action::decode(operand).ok_or(invalid),
                _ => return Err(invalid),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_runs_past_its_end_is_invalid() {
        let program = Program::new(vec![load(offset::NUMBER), jump_equal(1, 5, 5)]);
        assert_eq!(
            program.run(&SystemCall::default()),
            Err(InvalidProgram { at: 7 })
        );
    }

    #[test]
    fn words_are_read_as_the_kernel_lays_them_out() {
        let call = SystemCall {
            number: 7,
            architecture: 9,
            arguments: [0x1_0000_0002, 0, 0, 0, 0, 0xffff_ffff_0000_0003],
        };
        for (offset, word) in [
            (offset::NUMBER, Some(7)),
            (offset::ARCHITECTURE, Some(9)),
            (offset::argument_low(0), Some(2)),
            (20, Some(1)),
            (offset::argument_low(5), Some(3)),
            (60, Some(0xffff_ffff)),
            (17, None),
            (64, None),
        ] {
            assert_eq!(call.word(offset), word, "offset {offset}");
        }
    }
}
