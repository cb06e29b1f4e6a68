//! Messages of sd_notify(3), as a supervisor reads them.

use std::time::Duration;

/// One assignment of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// `READY=1`
    Ready,
    /// `STOPPING=1`
    Stopping,
    /// `STATUS=…`, one line for people.
    Status(String),
    /// `MAINPID=…`, the service's main process from now on.
    MainPid(i32),
    /// `EXTEND_TIMEOUT_USEC=…`, from now on.
    ExtendTimeout(Duration),
    /// `ERRNO=…`, why the service failed.
    Errno(i32),
}

/// Reads a message. Assignments that podseal does not know (`FDSTORE=1`,
/// `WATCHDOG=1`, …) or that are malformed are passed over, as systemd does.
#[must_use]
pub fn parse(message: &[u8]) -> Vec<Notification> {
    String::from_utf8_lossy(message)
        .split('\n')
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            match (name, value) {
                ("READY", "1") => Some(Notification::Ready),
                ("STOPPING", "1") => Some(Notification::Stopping),
                ("STATUS", _) => Some(Notification::Status(printable(value))),
                ("MAINPID", _) => positive(value).map(Notification::MainPid),
                ("ERRNO", _) => positive(value).map(Notification::Errno),
                ("EXTEND_TIMEOUT_USEC", _) => value
                    .parse()
                    .ok()
                    .map(|usec| Notification::ExtendTimeout(Duration::from_micros(usec))),
                _ => None,
            }
        })
        .collect()
}

fn positive(value: &str) -> Option<i32> {
    value.parse().ok().filter(|number| *number > 0)
}

/// A service's words go to a terminal: control characters do not.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Notification::{Errno, ExtendTimeout, MainPid, Ready, Status, Stopping};

    #[test]
    fn assignments_are_read_in_order() {
        for (message, expected) in [
            (
                &b"MAINPID=42\nREADY=1\n"[..],
                vec![MainPid(42), Ready],
            ),
            (
                b"STATUS=a=b \x1b[31mred\nSTOPPING=1",
                vec![Status("a=b [31mred".into()), Stopping],
            ),
            (
                b"EXTEND_TIMEOUT_USEC=1500000\nERRNO=2",
                vec![ExtendTimeout(Duration::from_millis(1500)), Errno(2)],
            ),
            (
                b"READY=0\nREADY\nMAINPID=0\nMAINPID=x\nMAINPID=-1\nWATCHDOG=1\nFDSTORE=1\n\xff\xfe",
                vec![],
            ),
        ] {
            assert_eq!(parse(message), expected);
        }
    }
}
