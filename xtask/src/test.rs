//! `cargo xtask test`.

use std::env;

use crate::arguments::Test;
use crate::command::Command;
use crate::deny::deny_steps;
use crate::output;
use crate::requirements::{self, RequirementError};
use crate::steps::{self, Step};

/// Runs all checks, the tests last: their summary is the end of the output. Those
/// that need the lab are left out, with a word on it, where it cannot be used and
/// need not be.
pub(crate) fn run(test: &Test) -> Result<u8, RequirementError> {
    let required = env::var_os("CI").is_some_and(|value| !value.is_empty());
    requirements::for_tests(&test.install, required)?;

    // Without the examples in documentation, which have a step of their own:
    // a library that has none would end the output with "0 passed".
    let mut tests = Command::new(
        "cargo",
        ["test", "--workspace", "--lib", "--bins", "--tests"],
    )
    .with(["--exclude", "podseal-lab"])
    .with(&test.filter);
    if required {
        tests = tests.environment("PODSEAL_TEST_REQUIRE", "all");
    }

    let mut steps = vec![
        Step {
            name: "formatting",
            command: Command::new("cargo", ["fmt", "--check"]),
        },
        Step {
            name: "lints",
            command: Command::new("cargo", ["clippy", "--workspace", "--all-targets"])
                .with(["--", "-D", "warnings"]),
        },
    ];
    steps.extend(deny_steps(false));
    steps.push(Step {
        name: "documentation",
        command: Command::new("cargo", ["doc", "--workspace", "--no-deps", "--lib"])
            .environment("RUSTDOCFLAGS", "-D warnings"),
    });
    steps.push(Step {
        name: "generated files",
        command: Command::new("cargo", ["xtask", "docs", "--check"]),
    });
    steps.push(Step {
        name: "examples in documentation",
        command: Command::new("cargo", ["test", "--workspace", "--doc"]),
    });
    steps.push(Step {
        name: "tests",
        command: tests,
    });
    let without_lab = lacking_for_lab(test);
    match &without_lab {
        Some(lacking) if !required => {
            let status = steps::run(&steps)?;
            if status == 0 {
                output::heading(format_args!("lab: SKIPPED, {lacking}"));
            }
            Ok(status)
        }
        _ => {
            let mut lab = Command::new("cargo", ["xtask", "lab", "test"]).with(&test.filter);
            if test.install.no_install {
                lab = lab.with(["--no-install"]);
            }
            steps.push(Step {
                name: "tests on real systemd",
                command: lab,
            });
            Ok(steps::run(&steps)?)
        }
    }
}

/// Why the lab cannot be used here.
fn lacking_for_lab(test: &Test) -> Option<String> {
    if !requirements::is_root() {
        return Some("it needs root".to_owned());
    }
    requirements::for_lab(&test.install)
        .err()
        .map(|error| error.to_string())
}
