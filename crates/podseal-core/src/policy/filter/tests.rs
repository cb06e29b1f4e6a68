//! Compiled filters, run by the interpreter.

use super::*;
use crate::bpf::SystemCall;
use crate::family::FAMILIES;
use crate::policy::families::FamilySet;
use crate::policy::level::Level;

const ARCHITECTURES: [Architecture; 2] = [Architecture::X86_64, Architecture::Aarch64];

fn seal(level: Level, families: &str) -> Seal {
    Seal {
        level,
        families: FamilySet::parse(families).unwrap(),
        ..Seal::default()
    }
}

fn compiled(architecture: Architecture, seal: &Seal) -> Program {
    compile(architecture, seal, &seal.mechanisms())
}

fn ask(architecture: Architecture, seal: &Seal, call: Call, arguments: [u64; 4]) -> Action {
    let [a, b, c, d] = arguments;
    compiled(architecture, seal)
        .run(&SystemCall {
            number: architecture.number(call),
            architecture: architecture.audit_token(),
            arguments: [a, b, c, d, 0, 0],
        })
        .unwrap()
}

#[test]
fn every_family_is_refused_unless_named_whatever_the_upper_bits() {
    let everything = FAMILIES.iter().map(|row| row.name).collect::<Vec<_>>();
    for (level, list) in Level::ALL.into_iter().flat_map(|level| {
        [
            "none",
            "AF_UNIX",
            "AF_UNIX AF_NETLINK",
            "AF_INET AF_VSOCK",
            &everything.join(" "),
        ]
        .map(|list| (level, list.to_owned()))
    }) {
        let seal = seal(level, &list);
        for architecture in ARCHITECTURES {
            for family in 0..=64 {
                let expected = if seal.families.contains(Family(family)) {
                    Action::Allow
                } else {
                    Action::Errno(EAFNOSUPPORT)
                };
                for upper in [0, 1 << 32, 0xffff_ffff_0000_0000, 1 << 63] {
                    let argument = upper | u64::from(family);
                    assert_eq!(
                        ask(architecture, &seal, Call::Socket, [argument, 1, 0, 0]),
                        expected,
                        "{architecture:?} {list:?} socket({argument:#x})"
                    );
                }
            }
            // Bit 31 and the 17th bit belong to the int the kernel reads.
            for argument in [0x8000_0001, 0x1_0001, 0xffff_ffff] {
                assert_eq!(
                    ask(architecture, &seal, Call::Socket, [argument, 1, 0, 0]),
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
                ask(architecture, &Seal::default(), call, [1, 0, 0, 0]),
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
        for level in Level::ALL {
            assert_eq!(
                compiled(filter_for, &seal(level, "AF_UNIX AF_NETLINK")).run(&call),
                Ok(expected),
                "{filter_for:?} {level} {call:?}"
            );
        }
    }
}

#[test]
fn level_standard_leaves_tcp_alone_of_the_internet_protocols() {
    const NONBLOCK: u64 = 0o4000;
    const CLOEXEC: u64 = 0o2_000_000;
    const SMC: u64 = 257;
    const MPTCP: u64 = 262;
    let [stream, datagram, raw, packet] = [1, 2, 3, 10];
    let (tcp, udp, sctp, udp_lite) = (6, 17, 132, 136);
    let upper = 7 << 32;
    for (kind, protocol, [standard, udp_allowed]) in [
        (stream, 0, [true, true]),
        (stream, tcp, [true, true]),
        (stream | NONBLOCK | CLOEXEC, tcp, [true, true]),
        (upper | stream, upper | tcp, [true, true]),
        (stream, MPTCP, [false, false]),
        (stream, SMC, [false, false]),
        (stream, sctp, [false, false]),
        (stream, upper | sctp, [false, false]),
        (datagram, 0, [false, true]),
        (datagram | CLOEXEC, udp, [false, true]),
        (datagram, udp_lite, [false, false]),
        (datagram, tcp, [false, false]),
        (raw, 1, [false, false]),
        // socket(2) makes an AF_PACKET socket of it.
        (packet, 0, [false, false]),
        (0, 0, [false, false]),
    ] {
        let standard_seal = seal(Level::Standard, "AF_INET AF_INET6");
        let with_udp = Seal {
            allow_udp: true,
            ..standard_seal.clone()
        };
        let families_seal = seal(Level::Families, "AF_INET AF_INET6");
        let rows = [
            (&standard_seal, standard),
            (&with_udp, udp_allowed),
            (&families_seal, true),
        ];
        for (seal, allowed) in rows {
            let expected = if allowed {
                Action::Allow
            } else {
                Action::Errno(EPROTONOSUPPORT)
            };
            for (architecture, family) in ARCHITECTURES.into_iter().zip([2, 10]) {
                assert_eq!(
                    ask(
                        architecture,
                        seal,
                        Call::Socket,
                        [family, kind, protocol, 0]
                    ),
                    expected,
                    "{seal:?} socket({family}, {kind:#x}, {protocol})"
                );
            }
        }
    }
}

#[test]
fn level_standard_leaves_one_netlink_protocol() {
    for protocol in 0..32 {
        for (level, expected) in [
            (Level::Families, Action::Allow),
            (Level::Standard, Action::Errno(EPROTONOSUPPORT)),
        ] {
            let expected = if protocol == 0 {
                Action::Allow
            } else {
                expected
            };
            for architecture in ARCHITECTURES {
                let seal = seal(level, "AF_NETLINK");
                let arguments = [16, 3, protocol, 0];
                assert_eq!(ask(architecture, &seal, Call::Socket, arguments), expected);
            }
        }
    }
}

#[test]
fn level_standard_refuses_what_landlock_does_not_see() {
    let flag = u64::from(MSG_FASTOPEN);
    // MSG_NOSIGNAL
    let other = 0x4000;
    let upper = flag << 32;
    let refused = Action::Errno(EOPNOTSUPP);
    let ulp = Action::Errno(ENOENT);
    let cases = [
        (Call::SendTo, [3, 0, 0, flag], refused),
        (Call::SendTo, [3, 0, 0, flag | other | upper], refused),
        (Call::SendTo, [flag, flag, flag, other], Action::Allow),
        (Call::SendTo, [3, 0, 0, upper], Action::Allow),
        (Call::SendMessage, [3, 0, flag, 0], refused),
        (Call::SendMessage, [3, 0, flag | other, 0], refused),
        (Call::SendMessage, [flag, flag, other, flag], Action::Allow),
        (Call::SendMessages, [3, 0, 1, flag], refused),
        (Call::SendMessages, [flag, flag, flag, other], Action::Allow),
        (Call::SetSocketOption, [3, 6, 31, 0], ulp),
        (
            Call::SetSocketOption,
            [3, 6 | 1 << 40, 31 | 1 << 40, 0],
            ulp,
        ),
        // TCP_NODELAY; SOL_SOCKET; the values in other places
        (Call::SetSocketOption, [3, 6, 1, 0], Action::Allow),
        (Call::SetSocketOption, [3, 1, 31, 0], Action::Allow),
        (Call::SetSocketOption, [6, 31, 6, 31], Action::Allow),
    ];
    for (call, arguments, expected) in cases {
        for architecture in ARCHITECTURES {
            for (level, expected) in [
                (Level::Families, Action::Allow),
                (Level::Standard, expected),
            ] {
                assert_eq!(
                    ask(architecture, &seal(level, "AF_UNIX"), call, arguments),
                    expected,
                    "{level} {call:?} {arguments:x?}"
                );
            }
        }
    }
}

#[test]
fn the_longest_program_still_jumps_within_a_byte() {
    let all = FAMILIES
        .iter()
        .map(|row| row.name)
        .collect::<Vec<_>>()
        .join(" ");
    let longest = Seal {
        allow_udp: true,
        ..seal(Level::Standard, &all)
    };
    assert!(
        u8::try_from(
            allowed_families(
                &longest,
                &mechanism::of(Level::Standard).collect::<Vec<_>>()
            )
            .len()
        )
        .is_ok()
    );
    for (level, most) in [(Level::Families, 24), (Level::Standard, 48)] {
        let program = compiled(Architecture::X86_64, &seal(level, "AF_UNIX AF_NETLINK"));
        let length = program.instructions().len();
        assert!(length <= most, "{level}: {length}");
    }
}

#[test]
fn parts_can_be_left_out() {
    use crate::policy::seal::Without;
    for bits in 0..8_u8 {
        let without = Without {
            families: bits & 1 != 0,
            abi: bits & 2 != 0,
            io_uring: bits & 4 != 0,
        };
        let seal = Seal {
            without,
            ..Seal::of_families(FamilySet::default())
        };
        let program = compiled(Architecture::X86_64, &seal);
        let passes = |architecture: u32, number| {
            let arguments = [2, 1, 0, 0, 0, 0];
            let call = SystemCall {
                number,
                architecture,
                arguments,
            };
            program.run(&call) == Ok(Action::Allow)
        };
        let own = Architecture::X86_64.audit_token();
        let number = |call| Architecture::X86_64.number(call);
        assert_eq!(passes(own, number(Call::Socket)), without.families);
        assert_eq!(passes(own, number(Call::IoUringSetup)), without.io_uring);
        assert_eq!(passes(0x4000_0003, 359), without.abi);
        assert_eq!(passes(own, X32_BIT + 41), without.abi);
    }
}
