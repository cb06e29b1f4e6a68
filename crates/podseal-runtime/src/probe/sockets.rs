//! Making sockets.

use std::fmt::Display;
use std::io;
use std::os::fd::OwnedFd;

use podseal_core::family::Family;
use podseal_core::probe::{Outcome, Protocol};
use podseal_sys::{attempt, foreign, uring};
use rustix::io::Errno;
use rustix::net::SocketType;

use super::{Seen, isolated, loaded, not_tried};

const SIGSEGV: i32 = 11;

pub(super) fn make(family: Family) -> Outcome {
    isolated(|| socket(u64::from(family.0), kind(family), 0))
}

pub(super) fn make_with_upper_bits(family: Family) -> Outcome {
    isolated(|| socket(1 << 32 | u64::from(family.0), kind(family), 0))
}

pub(super) fn make_of(family: Family, protocol: Protocol) -> Outcome {
    match loaded::has(protocol.name()) {
        Ok(true) => {
            let number = i32::try_from(protocol.number()).unwrap_or(i32::MAX);
            isolated(|| socket(u64::from(family.0), SocketType::STREAM, number))
        }
        Ok(false) => not_tried(format!("{} is not loaded here", protocol.name())),
        Err(error) => not_tried(format!("/proc/net/protocols: {error}")),
    }
}

pub(super) fn other_families() -> Seen {
    match loaded::families() {
        Ok(families) => each(families, "no other family is loaded here", |row| {
            let (family, protocol) = row;
            let kinds = [
                SocketType::STREAM,
                SocketType::DGRAM,
                SocketType::SEQPACKET,
                SocketType::RAW,
            ];
            let attempt = || {
                let tries = kinds.map(|kind| socket(u64::from(family.0), kind, protocol));
                // A family has some types, and the answer for another one says
                // nothing.
                let unknown = [
                    Errno::SOCKTNOSUPPORT,
                    Errno::PROTONOSUPPORT,
                    Errno::PROTOTYPE,
                ];
                let mut last = Err(Errno::SOCKTNOSUPPORT.into());
                for result in tries {
                    match result {
                        Ok(()) => return Ok(()),
                        Err(error) => {
                            let errno = Errno::from_io_error(&error);
                            if !errno.is_some_and(|errno| unknown.contains(&errno)) {
                                last = Err(error);
                            }
                        }
                    }
                }
                last
            };
            (family, isolated(attempt))
        }),
        Err(error) => not_tried(format!("/proc/net/protocols: {error}")).into(),
    }
}

pub(super) fn netlink(protocol: u32) -> Outcome {
    let protocol = i32::try_from(protocol).unwrap_or(i32::MAX);
    isolated(|| socket(u64::from(Family::NETLINK.0), SocketType::RAW, protocol))
}

pub(super) fn other_netlink() -> Seen {
    match loaded::netlink() {
        Ok(protocols) => each(protocols, "no other protocol is loaded here", |protocol| {
            (format!("protocol {protocol}"), netlink(protocol))
        }),
        Err(error) => not_tried(format!("/proc/net/netlink: {error}")).into(),
    }
}

/// Tries each of `things`. One that works is enough; all that do are evidence.
fn each<T, N: Display>(
    things: impl IntoIterator<Item = T>,
    none: &str,
    attempt: impl Fn(T) -> (N, Outcome),
) -> Seen {
    let tried: Vec<(String, Outcome)> = things
        .into_iter()
        .map(|thing| {
            let (name, outcome) = attempt(thing);
            (name.to_string(), outcome)
        })
        .collect();
    let working = |outcome: &Outcome| *outcome == Outcome::Succeeded;
    let Some(first) = tried
        .iter()
        .find(|(_, outcome)| working(outcome))
        .or_else(|| tried.first())
    else {
        return not_tried(none).into();
    };
    let is_open = working(&first.1);
    let named: Vec<&str> = tried
        .iter()
        .filter(|(_, outcome)| working(outcome) == is_open)
        .map(|(name, _)| name.as_str())
        .collect();
    Seen {
        outcome: first.1.clone(),
        evidence: Some(named.join(", ")),
    }
}

pub(super) fn io_uring(family: Family) -> Outcome {
    isolated(|| uring::socket(i32::from(family.0)).map(drop))
}

pub(super) fn i386(family: Family) -> Outcome {
    foreign("i386", family, foreign::socket_i386)
}

pub(super) fn socketcall_i386(family: Family) -> Outcome {
    foreign("i386", family, foreign::socketcall_i386)
}

pub(super) fn x32(family: Family) -> Outcome {
    foreign("x32", family, foreign::socket_x32)
}

/// A call through a foreign ABI, which may not be there: that shows nothing.
fn foreign(abi: &str, family: Family, call: fn(u32, u32) -> io::Result<OwnedFd>) -> Outcome {
    let stream = SocketType::STREAM.as_raw();
    match isolated(|| call(u32::from(family.0), stream).map(drop)) {
        Outcome::Killed { signal: SIGSEGV } => not_tried(format!("there are no {abi} calls here")),
        Outcome::Refused { errno } if errno == Errno::NOSYS.raw_os_error() => {
            not_tried(format!("there are no {abi} calls here"))
        }
        outcome => outcome,
    }
}

fn socket(family: u64, kind: SocketType, protocol: i32) -> io::Result<()> {
    // The numbers are small; see socket(2).
    let kind = i32::try_from(kind.as_raw()).unwrap_or_default();
    attempt::socket(family, kind, protocol).map(drop)
}

fn kind(family: Family) -> SocketType {
    if family == Family::PACKET {
        SocketType::RAW
    } else {
        SocketType::STREAM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_works_is_enough_and_named() {
        let refused = || Outcome::Refused { errno: 97 };
        let of = |names: &[&'static str]| {
            each(names.to_vec(), "none", |name| {
                let works = name.starts_with('+');
                (name, if works { Outcome::Succeeded } else { refused() })
            })
        };
        let seen = of(&["a", "+b", "+c"]);
        assert_eq!(seen.outcome, Outcome::Succeeded);
        assert_eq!(seen.evidence.as_deref(), Some("+b, +c"));
        let seen = of(&["a", "b"]);
        assert_eq!(seen.outcome, refused());
        assert_eq!(seen.evidence.as_deref(), Some("a, b"));
        assert_eq!(of(&[]).outcome, not_tried("none"));
    }
}
