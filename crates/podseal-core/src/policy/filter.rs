//! The seccomp filter of a seal: rules as data, and their compiler.
//!
//! A program first checks the ABI it is called through, then looks at the
//! system call. `socket(2)` is compared on the low 32 bits of its arguments, as
//! the kernel itself reads them: a comparison of all 64 bits would be passed by
//! setting an upper one.

use super::architecture::{Architecture, Call};
use super::inherited::{DATAGRAM, STREAM, TCP, UDP};
use super::mechanism::{self, Mechanism};
use super::seal::Seal;
use crate::bpf::{
    Action, Instruction, Program, and, answer, jump_any_bit, jump_equal, jump_greater_equal, load,
    offset,
};
use crate::family::Family;

/// One rule: when `call` is made and `condition` holds, it is refused with
/// `errno`.
struct Rule {
    /// The mechanism that it is a part of.
    mechanism: &'static Mechanism,
    call: Call,
    condition: Condition,
    errno: u16,
}

enum Condition {
    Always,
    /// Argument `argument` has any of `bits`.
    AnyBit {
        argument: u8,
        bits: u32,
    },
    /// Arguments have these values.
    Equal(&'static [(u8, u32)]),
}

// The numbers are the same on x86-64 and aarch64 (asm-generic/errno.h).
const ENOENT: u16 = 2;
const ENOSYS: u16 = 38;
const EPROTONOSUPPORT: u16 = 93;
const EOPNOTSUPP: u16 = 95;
/// What a refused family answers, as systemd's RestrictAddressFamilies= does.
pub const EAFNOSUPPORT: u16 = 97;

/// `MSG_FASTOPEN` of send(2)
const MSG_FASTOPEN: u32 = 0x2000_0000;
/// `SOL_TCP` and `TCP_ULP` of tcp(7)
const SOL_TCP: u32 = 6;
const TCP_ULP: u32 = 31;
/// What socket(2) reads of its second argument as the type; the rest are flags.
const SOCK_TYPE_MASK: u32 = 0xf;
/// `NETLINK_ROUTE` of netlink(7)
const NETLINK_ROUTE: u32 = 0;

const RULES: &[Rule] = &[
    // IORING_OP_SOCKET makes sockets that no filter sees. ENOSYS, because
    // programs that probe for io_uring (libuv) then do without it.
    Rule {
        mechanism: &mechanism::NO_IO_URING,
        call: Call::IoUringSetup,
        condition: Condition::Always,
        errno: ENOSYS,
    },
    // A ring could be inherited or received over a UNIX socket.
    Rule {
        mechanism: &mechanism::NO_IO_URING,
        call: Call::IoUringEnter,
        condition: Condition::Always,
        errno: ENOSYS,
    },
    Rule {
        mechanism: &mechanism::NO_IO_URING,
        call: Call::IoUringRegister,
        condition: Condition::Always,
        errno: ENOSYS,
    },
    // Sending with this flag connects a TCP socket, and Landlock does not look.
    // The errno is that of a host with client support for it switched off
    // (net.ipv4.tcp_fastopen), so programs have a way to go on.
    Rule {
        mechanism: &mechanism::NO_FAST_OPEN,
        call: Call::SendTo,
        condition: Condition::AnyBit {
            argument: 3,
            bits: MSG_FASTOPEN,
        },
        errno: EOPNOTSUPP,
    },
    Rule {
        mechanism: &mechanism::NO_FAST_OPEN,
        call: Call::SendMessage,
        condition: Condition::AnyBit {
            argument: 2,
            bits: MSG_FASTOPEN,
        },
        errno: EOPNOTSUPP,
    },
    Rule {
        mechanism: &mechanism::NO_FAST_OPEN,
        call: Call::SendMessages,
        condition: Condition::AnyBit {
            argument: 3,
            bits: MSG_FASTOPEN,
        },
        errno: EOPNOTSUPP,
    },
    // What is on top of a TCP socket then takes its calls over. The errno is
    // that of a kernel without the module, so TLS libraries do it themselves.
    Rule {
        mechanism: &mechanism::NO_UPPER_LAYER,
        call: Call::SetSocketOption,
        condition: Condition::Equal(&[(1, SOL_TCP), (2, TCP_ULP)]),
        errno: ENOENT,
    },
];

/// Numbers with this bit are x32 calls on x86-64 (`__X32_SYSCALL_BIT`); their
/// architecture token is the native one.
const X32_BIT: u32 = 0x4000_0000;
/// A tracer sets this number to skip a call; the kernel then answers ENOSYS.
const NO_CALL: u32 = u32::MAX;

/// Compiles the filter of `seal` for `architecture`, with no more than what
/// `mechanisms` need: [`Seal::mechanisms`], or fewer to show what each is for.
///
/// With [`mechanism::NATIVE_ABI`] a foreign ABI (i386 or x32 on x86-64, 32-bit
/// ARM on aarch64) kills the process with SIGSYS, as systemd's
/// `SystemCallArchitectures=native` does.
#[must_use]
pub fn compile(
    architecture: Architecture,
    seal: &Seal,
    mechanisms: &[&'static Mechanism],
) -> Program {
    let foreign = answer(if mechanisms.contains(&&mechanism::NATIVE_ABI) {
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
    program.extend(when(
        architecture.number(Call::Socket),
        allowed_families(seal, mechanisms),
    ));
    let rules = RULES
        .iter()
        .filter(|rule| mechanisms.contains(&rule.mechanism));
    for rule in rules {
        program.extend(when(architecture.number(rule.call), compile_rule(rule)));
    }
    program.push(answer(Action::Allow));
    Program::new(program)
}

/// Runs `block`, which ends the program, if the word equals `value`.
fn when(value: u32, block: Vec<Instruction>) -> Vec<Instruction> {
    // Blocks are short: a family set has fewer than 50 members.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounded, and the test checks it"
    )]
    let length = block.len() as u8;
    let mut program = vec![jump_equal(value, 0, length)];
    program.extend(block);
    program
}

/// What follows once the call is the rule's: it ends the program on every path.
fn compile_rule(rule: &Rule) -> Vec<Instruction> {
    let refuse = answer(Action::Errno(rule.errno));
    let allow = answer(Action::Allow);
    match rule.condition {
        Condition::Always => vec![refuse],
        Condition::AnyBit { argument, bits } => vec![
            load(offset::argument_low(argument)),
            jump_any_bit(bits, 0, 1),
            refuse,
            allow,
        ],
        Condition::Equal(arguments) => arguments.iter().rev().fold(vec![refuse], |inner, row| {
            let (argument, value) = *row;
            let mut block = vec![load(offset::argument_low(argument))];
            block.extend(when(value, inner));
            block.push(allow);
            block
        }),
    }
}

/// What follows once the call is socket(2), the point of the seal: a family
/// that is not named is refused. socketpair(2) stays: it makes connected pairs
/// only, and none of an internet family.
fn allowed_families(seal: &Seal, mechanisms: &[&'static Mechanism]) -> Vec<Instruction> {
    let protocols = mechanisms.contains(&&mechanism::PROTOCOLS);
    let families = mechanisms.contains(&&mechanism::FAMILIES);
    let named: Vec<Family> = if families {
        seal.families.iter().collect()
    } else {
        vec![Family::INET, Family::INET6, Family::NETLINK]
    };
    let mut block = vec![load(offset::argument_low(0))];
    for family in named {
        let then = if protocols {
            allowed_protocols(family, seal)
        } else {
            vec![answer(Action::Allow)]
        };
        block.extend(when(u32::from(family.0), then));
    }
    block.push(answer(if families {
        Action::Errno(EAFNOSUPPORT)
    } else {
        Action::Allow
    }));
    block
}

/// Which sockets of an allowed family may be made. Landlock governs TCP only,
/// so a level that closes connections must not let other protocols be.
fn allowed_protocols(family: Family, seal: &Seal) -> Vec<Instruction> {
    let allow = answer(Action::Allow);
    let refuse = answer(Action::Errno(EPROTONOSUPPORT));
    let protocol_of = |allowed: &[u32]| {
        let mut block = vec![load(offset::argument_low(2))];
        for protocol in allowed {
            block.extend(when(*protocol, vec![allow]));
        }
        block.push(refuse);
        block
    };
    match family {
        Family::NETLINK => protocol_of(&[NETLINK_ROUTE]),
        Family::INET | Family::INET6 => {
            // Protocol 0 is the one that a type has by itself.
            let mut block = vec![load(offset::argument_low(1)), and(SOCK_TYPE_MASK)];
            block.extend(when(STREAM, protocol_of(&[0, TCP])));
            if seal.allow_udp {
                block.extend(when(DATAGRAM, protocol_of(&[0, UDP])));
            }
            block.push(refuse);
            block
        }
        _ => vec![allow],
    }
}

#[cfg(test)]
mod tests;
