//! The service itself, which is looked at from outside and not touched.

use serde::Serialize;

use super::Verdict;
use crate::status::facts::{Copies, Process, Relation, Service, Socket};
use crate::status::{Live, NOT_SEEN, Problem, examine};

/// What the processes of the running service show, beside those of the copies.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Running {
    /// What they say of the seal; null where it does not run.
    pub verdict: Option<Verdict>,
    /// What the copies' processes were under.
    pub copies: Option<Copies>,
    /// The processes.
    pub processes: Vec<Process>,
    /// Its sockets.
    pub sockets: Vec<Socket>,
    /// What is wrong, or could not be seen.
    pub problems: Vec<Problem>,
}

impl Running {
    /// Judges what was seen of a service, as `podseal status` does, and holds
    /// its processes against those of the copies.
    #[must_use]
    pub fn new(service: Option<Service>, copies: Copies) -> Self {
        let seen = service.map(|service| Self::of(service, copies));
        let mut running = seen.unwrap_or_else(|| Self {
            copies: Some(copies),
            ..Self::default()
        });
        // Every level has the container without a network, running or not.
        let container = copies.container.map(|copy| copy.network_namespace);
        if container == Some(Relation::Host) {
            running.verdict = Some(Verdict::Open);
            running.problems.push(Problem {
                id: "copy-in-host-network",
                is_less: true,
                message: "a copy's container had the host's network".to_owned(),
                fix: "start it with --network=none".to_owned(),
            });
        }
        running
    }

    fn of(service: Service, copies: Copies) -> Self {
        let report = examine(Service {
            copies: Some(copies),
            ..service
        });
        let is_unseen = |problem: &Problem| NOT_SEEN.contains(&problem.id);
        let verdict = match report.live {
            Live::NoProcesses => None,
            Live::Less => Some(Verdict::Open),
            Live::Unknown => Some(Verdict::Inconclusive),
            Live::NothingPromised | Live::AsPromised => {
                Some(if report.problems.iter().any(is_unseen) {
                    Verdict::Inconclusive
                } else {
                    Verdict::Closed
                })
            }
        };
        let counts = |problem: &Problem| problem.is_less || is_unseen(problem);
        Self {
            verdict,
            copies: Some(copies),
            processes: report.processes,
            sockets: report.sockets,
            problems: report.problems.into_iter().filter(counts).collect(),
        }
    }

    /// What a whole report comes to: `probes`, which is what the copies came to,
    /// or worse.
    pub(super) fn and(&self, probes: Verdict) -> Verdict {
        match (self.verdict, probes) {
            (Some(Verdict::Open | Verdict::Accepted), _) => Verdict::Open,
            (Some(Verdict::Inconclusive), Verdict::Closed | Verdict::Accepted) => {
                Verdict::Inconclusive
            }
            _ => probes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::facts::Restrictions;

    #[test]
    fn a_copy_without_a_network_of_its_own_is_open() {
        for (network_namespace, verdict) in [
            (Relation::Own, None),
            (Relation::Unknown, None),
            (Relation::Host, Some(Verdict::Open)),
        ] {
            let copies = Copies {
                host: None,
                container: Some(Restrictions {
                    no_new_privs: true,
                    seccomp: 2,
                    filters: Some(2),
                    user_namespace: Relation::Own,
                    network_namespace,
                }),
            };
            let running = Running::new(None, copies);
            assert_eq!(running.verdict, verdict);
            assert_eq!(running.problems.len(), usize::from(verdict.is_some()));
        }
    }
}
