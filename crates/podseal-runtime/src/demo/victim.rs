//! Somebody that a probe should not reach, and what they saw.

use std::io::{self, Read};
use std::net::TcpListener;
use std::time::Duration;

use podseal_core::probe::Outcome;

/// Whether somebody came to `victim` and said `token`.
pub(super) fn was_reached(victim: &TcpListener, token: &str) -> io::Result<bool> {
    victim.set_nonblocking(true)?;
    loop {
        match victim.accept() {
            Ok((mut connection, _)) => {
                connection.set_nonblocking(false)?;
                connection.set_read_timeout(Some(Duration::from_secs(5)))?;
                let mut said = vec![0; token.len()];
                if connection.read_exact(&mut said).is_ok() && said == token.as_bytes() {
                    return Ok(true);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// What the victim saw counts, whatever the attempt says of itself.
pub(super) fn believe_victim(outcome: &mut Outcome, reached: bool) {
    if reached {
        *outcome = Outcome::Succeeded;
    } else if *outcome == Outcome::Succeeded {
        *outcome = Outcome::NotTried {
            reason: "the victim was not reached".into(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpStream};

    #[test]
    fn the_victim_is_believed() {
        let refused = Outcome::Refused { errno: 115 };
        for (said, reached, expected) in [
            (refused.clone(), true, Outcome::Succeeded),
            (Outcome::Succeeded, true, Outcome::Succeeded),
            (refused.clone(), false, refused),
        ] {
            let mut outcome = said;
            believe_victim(&mut outcome, reached);
            assert_eq!(outcome, expected);
        }
        let mut outcome = Outcome::Succeeded;
        believe_victim(&mut outcome, false);
        assert!(matches!(outcome, Outcome::NotTried { .. }));
    }

    #[test]
    fn a_victim_knows_its_own_token_only() {
        for (said, expected) in [("token", true), ("other", false)] {
            let victim = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let mut caller = TcpStream::connect(victim.local_addr().unwrap()).unwrap();
            caller.write_all(said.as_bytes()).unwrap();
            assert_eq!(was_reached(&victim, "token").unwrap(), expected);
        }
        let lonely = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!was_reached(&lonely, "token").unwrap());
    }
}
