//! Limits on how often something may happen, as systemd counts them
//! (`StartLimitBurst=`, `TriggerLimitBurst=`; systemd.unit(5), systemd.socket(5)).

use std::time::Duration;

/// At most `burst` events in `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The window. Zero means no limit.
    pub interval: Duration,
    /// Events in a window. Zero means no limit.
    pub burst: u32,
}

impl Limit {
    /// systemd's `DefaultStartLimitIntervalSec=` and `DefaultStartLimitBurst=`.
    pub const START: Self = Self {
        interval: Duration::from_secs(10),
        burst: 5,
    };
    /// systemd's `TriggerLimitIntervalSec=` and `TriggerLimitBurst=` of a
    /// socket without `Accept=yes`.
    pub const TRIGGER: Self = Self {
        interval: Duration::from_secs(2),
        burst: 20,
    };
    /// systemd's `PollLimitIntervalSec=` and `PollLimitBurst=` of a socket
    /// without `Accept=yes` (from version 255 on).
    pub const POLL: Self = Self {
        interval: Duration::from_secs(2),
        burst: 15,
    };
    /// No limit.
    pub const NONE: Self = Self {
        interval: Duration::ZERO,
        burst: 0,
    };

    const fn is_none(self) -> bool {
        self.interval.is_zero() || self.burst == 0
    }
}

/// Counts events against a [`Limit`]. Windows do not slide: one begins with
/// the first event after the last has ended.
#[derive(Debug, Clone)]
pub struct RateLimit {
    limit: Limit,
    window: Option<(Duration, u32)>,
}

impl RateLimit {
    /// Nothing has happened yet.
    #[must_use]
    pub const fn new(limit: Limit) -> Self {
        Self {
            limit,
            window: None,
        }
    }

    /// Counts an event at `now` (a monotonic clock); false when it is one too
    /// many.
    pub fn permits(&mut self, now: Duration) -> bool {
        if self.limit.is_none() {
            return true;
        }
        match &mut self.window {
            Some((begin, count)) if now <= *begin + self.limit.interval => {
                if *count >= self.limit.burst {
                    return false;
                }
                *count += 1;
            }
            window => *window = Some((now, 1)),
        }
        true
    }

    /// Whether an event at `now` would be permitted; does not count one.
    #[must_use]
    pub fn is_open(&self, now: Duration) -> bool {
        self.limit.is_none()
            || self.window.is_none_or(|(begin, count)| {
                count < self.limit.burst || now > begin + self.limit.interval
            })
    }

    /// When the window ends after which an event is permitted again; none
    /// before there was one.
    #[must_use]
    pub fn reopens(&self) -> Option<Duration> {
        self.window.map(|(begin, _)| begin + self.limit.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burst_is_allowed_and_the_next_event_is_not() {
        let mut limit = RateLimit::new(Limit::START);
        let at = Duration::from_secs;
        for second in 100..105 {
            assert!(limit.permits(at(second)));
        }
        assert!(!limit.permits(at(110)), "the window's last moment");
        assert!(limit.permits(at(111)), "a new window");
    }

    #[test]
    fn zero_means_no_limit() {
        for limit in [
            Limit {
                burst: 0,
                ..Limit::START
            },
            Limit {
                interval: Duration::ZERO,
                ..Limit::START
            },
        ] {
            let mut limit = RateLimit::new(limit);
            assert!((0..100).all(|_| limit.permits(Duration::ZERO)));
        }
    }
}
