//! The seccomp filter of a seal: rules as data, and their compiler.
//!
//! A program first checks the ABI it is called through, then looks at the
//! system call. `socket(2)` is compared on the low 32 bits of its first
//! argument, as the kernel itself reads it: a comparison of all 64 bits would
//! be passed by setting an upper one.

use super::architecture::{Architecture, Call};
use super::families::FamilySet;
use super::restrictions::Restrictions;
use crate::bpf::{
    Action, Instruction, Program, answer, jump_equal, jump_greater_equal, load, offset,
};

/// One rule: when `call` is made and `condition` holds, it is refused with
/// `errno`.
struct Rule {
    call: Call,
    condition: Condition,
    errno: u16,
}

enum Condition {
    Always,
    FamilyNotAllowed,
}

// The numbers are the same on x86-64 and aarch64 (asm-generic/errno.h).
const ENOSYS: u16 = 38;
/// What a refused family answers, as systemd's RestrictAddressFamilies= does.
pub const EAFNOSUPPORT: u16 = 97;

const RULES: &[Rule] = &[
    // The point of the seal. socketpair(2) stays: it makes connected pairs
    // only, and none of an internet family.
    Rule {
        call: Call::Socket,
        condition: Condition::FamilyNotAllowed,
        errno: EAFNOSUPPORT,
    },
    // IORING_OP_SOCKET makes sockets that no filter sees. ENOSYS, because
    // programs that probe for io_uring (libuv) then do without it.
    Rule {
        call: Call::IoUringSetup,
        condition: Condition::Always,
        errno: ENOSYS,
    },
    // A ring could be inherited or received over a UNIX socket.
    Rule {
        call: Call::IoUringEnter,
        condition: Condition::Always,
        errno: ENOSYS,
    },
    Rule {
        call: Call::IoUringRegister,
        condition: Condition::Always,
        errno: ENOSYS,
    },
];

/// Numbers with this bit are x32 calls on x86-64 (`__X32_SYSCALL_BIT`); their
/// architecture token is the native one.
const X32_BIT: u32 = 0x4000_0000;
/// A tracer sets this number to skip a call; the kernel then answers ENOSYS.
const NO_CALL: u32 = u32::MAX;

/// Compiles the filter of `restrictions` for `architecture`.
///
/// A foreign ABI (i386 or x32 on x86-64, 32-bit ARM on aarch64) kills the
/// process with SIGSYS, as systemd's `SystemCallArchitectures=native` does, or
/// where that is not asked for is let through.
#[must_use]
pub fn compile(architecture: Architecture, restrictions: &Restrictions) -> Program {
    let foreign = answer(if restrictions.native {
        Action::KillProcess
    } else {
        Action::Allow
    });
    let mut program = vec![
        load(offset::ARCHITECTURE),
        jump_equal(architecture.audit_token(), 1, 0),
        foreign,
        load(offset::NUMBER),
    ];
    if architecture == Architecture::X86_64 {
        program.extend([
            jump_greater_equal(X32_BIT, 0, 2),
            jump_equal(NO_CALL, 1, 0),
            foreign,
        ]);
    }
    for rule in RULES {
        let block = match (&rule.condition, &restrictions.families) {
            (Condition::Always, _) if restrictions.no_io_uring => {
                vec![answer(Action::Errno(rule.errno))]
            }
            (Condition::FamilyNotAllowed, Some(families)) => families_block(rule.errno, families),
            _ => continue,
        };
        // Blocks are short: a family set has fewer than 50 members.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "bounded, and the test checks it"
        )]
        let length = block.len() as u8;
        program.push(jump_equal(architecture.number(rule.call), 0, length));
        program.extend(block);
    }
    program.push(answer(Action::Allow));
    Program::new(program)
}

fn families_block(errno: u16, families: &FamilySet) -> Vec<Instruction> {
    let mut block = vec![load(offset::argument_low(0))];
    for family in families.iter() {
        block.push(jump_equal(u32::from(family.0), 0, 1));
        block.push(answer(Action::Allow));
    }
    block.push(answer(Action::Errno(errno)));
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::{FAMILIES, Family};

    const ARCHITECTURES: [Architecture; 2] = [Architecture::X86_64, Architecture::Aarch64];

    fn ask(architecture: Architecture, families: &FamilySet, call: Call, first: u64) -> Action {
        compile(architecture, &Restrictions::sealed(families.clone()))
            .run(&SystemCall {
                number: architecture.number(call),
                architecture: architecture.audit_token(),
                arguments: [first, 0, 0, 0, 0, 0],
            })
            .unwrap()
    }

    use crate::bpf::SystemCall;

    #[test]
    fn every_family_is_refused_unless_named_whatever_the_upper_bits() {
        let everything = FAMILIES.iter().map(|row| row.name).collect::<Vec<_>>();
        for list in [
            "none",
            "AF_UNIX",
            "AF_UNIX AF_NETLINK",
            "AF_INET AF_VSOCK",
            &everything.join(" "),
        ] {
            let set = FamilySet::parse(list).unwrap();
            for architecture in ARCHITECTURES {
                for family in 0..=64 {
                    let expected = if set.contains(Family(family)) {
                        Action::Allow
                    } else {
                        Action::Errno(EAFNOSUPPORT)
                    };
                    for upper in [0, 1 << 32, 0xffff_ffff_0000_0000, 1 << 63] {
                        let argument = upper | u64::from(family);
                        assert_eq!(
                            ask(architecture, &set, Call::Socket, argument),
                            expected,
                            "{architecture:?} {list:?} socket({argument:#x})"
                        );
                    }
                }
                // Bit 31 and the 17th bit belong to the int the kernel reads.
                for argument in [0x8000_0001, 0x1_0001, 0xffff_ffff] {
                    assert_eq!(
                        ask(architecture, &set, Call::Socket, argument),
                        Action::Errno(EAFNOSUPPORT)
                    );
                }
            }
        }
    }

    #[test]
    fn io_uring_looks_absent() {
        for architecture in ARCHITECTURES {
            for call in [
                Call::IoUringSetup,
                Call::IoUringEnter,
                Call::IoUringRegister,
            ] {
                assert_eq!(
                    ask(architecture, &FamilySet::default(), call, 1),
                    Action::Errno(ENOSYS)
                );
            }
        }
    }

    #[test]
    fn a_foreign_abi_kills_and_everything_else_passes() {
        const I386: u32 = 0x4000_0003;
        const ARM: u32 = 0x4000_0028;
        let cases = [
            // i386 socketcall and socket, 32-bit ARM socket
            (Architecture::X86_64, I386, 102, Action::KillProcess),
            (Architecture::X86_64, I386, 359, Action::KillProcess),
            (Architecture::Aarch64, ARM, 281, Action::KillProcess),
            (
                Architecture::X86_64,
                Architecture::Aarch64.audit_token(),
                198,
                Action::KillProcess,
            ),
            // x32: socket, and the first and last numbers of the range
            (
                Architecture::X86_64,
                Architecture::X86_64.audit_token(),
                X32_BIT + 41,
                Action::KillProcess,
            ),
            (
                Architecture::X86_64,
                Architecture::X86_64.audit_token(),
                X32_BIT,
                Action::KillProcess,
            ),
            (
                Architecture::X86_64,
                Architecture::X86_64.audit_token(),
                NO_CALL - 1,
                Action::KillProcess,
            ),
            // skipped by a tracer; socketpair; openat
            (
                Architecture::X86_64,
                Architecture::X86_64.audit_token(),
                NO_CALL,
                Action::Allow,
            ),
            (
                Architecture::X86_64,
                Architecture::X86_64.audit_token(),
                53,
                Action::Allow,
            ),
            (
                Architecture::X86_64,
                Architecture::X86_64.audit_token(),
                257,
                Action::Allow,
            ),
            (
                Architecture::Aarch64,
                Architecture::Aarch64.audit_token(),
                199,
                Action::Allow,
            ),
            (
                Architecture::Aarch64,
                Architecture::Aarch64.audit_token(),
                56,
                Action::Allow,
            ),
        ];
        for (filter_for, architecture, number, expected) in cases {
            let call = SystemCall {
                number,
                architecture,
                arguments: [2, 1, 0, 0, 0, 0],
            };
            assert_eq!(
                compile(filter_for, &Restrictions::sealed(FamilySet::default())).run(&call),
                Ok(expected),
                "{filter_for:?} {call:?}"
            );
        }
    }

    #[test]
    fn the_longest_program_still_jumps_within_a_byte() {
        let all = FAMILIES
            .iter()
            .map(|row| row.name)
            .collect::<Vec<_>>()
            .join(" ");
        let set = FamilySet::parse(&all).unwrap();
        assert!(u8::try_from(families_block(EAFNOSUPPORT, &set).len()).is_ok());
        let default = compile(
            Architecture::X86_64,
            &Restrictions::sealed(FamilySet::default()),
        );
        assert!(
            default.instructions().len() <= 24,
            "{}",
            default.instructions().len()
        );
    }

    #[test]
    fn each_restriction_stands_by_itself() {
        for (families, native, no_io_uring) in [
            (None, false, false),
            (None, true, false),
            (None, false, true),
            (Some(FamilySet::default()), false, false),
        ] {
            let program = compile(
                Architecture::X86_64,
                &Restrictions {
                    families: families.clone(),
                    native,
                    no_io_uring,
                },
            );
            let ask = |architecture: u32, number, first| {
                let arguments = [first, 0, 0, 0, 0, 0];
                let call = SystemCall {
                    number,
                    architecture,
                    arguments,
                };
                program.run(&call).unwrap() == Action::Allow
            };
            let own = Architecture::X86_64.audit_token();
            let number = |call| Architecture::X86_64.number(call);
            assert_eq!(ask(own, number(Call::Socket), 2), families.is_none());
            assert_eq!(ask(own, number(Call::IoUringSetup), 2), !no_io_uring);
            assert_eq!(ask(0x4000_0003, 359, 2), !native);
            assert_eq!(ask(own, X32_BIT + 41, 2), !native);
        }
    }
}
