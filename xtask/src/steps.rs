//! Steps that run in order until one fails.

use std::time::Instant;

use crate::command::{Command, StartError};
use crate::output;

/// One step of a task.
#[derive(Debug)]
pub(crate) struct Step {
    /// What the step is about, in a word or two.
    pub(crate) name: &'static str,
    pub(crate) command: Command,
}

/// Runs the steps in order and returns 0, or the exit status of the first one
/// that failed, after which none is started.
///
/// Each step has a heading before it and its duration after it, but for the
/// last: when that succeeds, its own output is the end.
pub(crate) fn run(steps: &[Step]) -> Result<u8, StartError> {
    let mut number = 0;
    let failure = first_failure(steps, |step| {
        number += 1;
        let Step { name, command } = step;
        output::heading(format_args!(
            "{name} ({number} of {}): {command}",
            steps.len()
        ));
        let start = Instant::now();
        let status = command.run()?;
        if status != 0 || number < steps.len() {
            output::note(format_args!("{:.1} s", start.elapsed().as_secs_f64()));
        }
        Ok(status)
    })?;
    let Some((step, status)) = failure else {
        return Ok(0);
    };
    output::heading(format_args!(
        "{} failed with exit status {status}",
        step.name
    ));
    Ok(status)
}

/// Calls `run` for each step until one returns a status other than 0.
fn first_failure<E>(
    steps: &[Step],
    mut run: impl FnMut(&Step) -> Result<u8, E>,
) -> Result<Option<(&Step, u8)>, E> {
    for step in steps {
        let status = run(step)?;
        if status != 0 {
            return Ok(Some((step, status)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &'static str, script: &str) -> Step {
        Step {
            name,
            command: Command::new("sh", ["-c", script]),
        }
    }

    #[test]
    fn the_first_failure_ends_the_run() {
        let steps = ["a", "b", "c"].map(|name| step(name, "never run"));
        // The statuses of the steps, those that run, and what comes of it.
        for (statuses, ran, expected) in [
            ([0, 0, 0], "abc", None),
            ([0, 7, 0], "ab", Some(("b", 7))),
            ([0, 0, 101], "abc", Some(("c", 101))),
            ([1, 2, 3], "a", Some(("a", 1))),
        ] {
            let mut names = String::new();
            let failure = first_failure(&steps, |step| {
                names.push_str(step.name);
                Ok::<_, StartError>(statuses[names.len() - 1])
            });
            let failure = failure.expect("every step started");
            assert_eq!(names, ran, "{statuses:?}");
            let failure = failure.map(|(step, status)| (step.name, status));
            assert_eq!(failure, expected, "{statuses:?}");
        }
    }

    #[test]
    fn the_status_is_that_of_the_failed_step() {
        let steps = [step("a", "true"), step("b", "exit 7"), step("c", "exit 1")];
        assert_eq!(run(&steps).ok(), Some(7));
        assert_eq!(run(&steps[..1]).ok(), Some(0));
    }

    #[test]
    fn a_step_that_cannot_start_is_an_error() {
        let steps = [Step {
            name: "a",
            command: Command::new("podseal-no-such-program", [""; 0]),
        }];
        assert!(run(&steps).is_err());
    }
}
