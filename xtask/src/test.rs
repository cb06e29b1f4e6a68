//! `cargo xtask test`.

use std::env;

use crate::arguments::Test;
use crate::command::Command;
use crate::deny::deny_steps;
use crate::requirements::{self, RequirementError};
use crate::steps::{self, Step};

/// Runs all checks, the tests last: their summary is the end of the output.
pub(crate) fn run(test: &Test) -> Result<u8, RequirementError> {
    requirements::for_tests(&test.install)?;

    // Without the examples in documentation, which have a step of their own:
    // a library that has none would end the output with "0 passed".
    let mut tests = Command::new(
        "cargo",
        ["test", "--workspace", "--lib", "--bins", "--tests"],
    )
    .with(&test.filter);
    if env::var_os("CI").is_some_and(|value| !value.is_empty()) {
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
    Ok(steps::run(&steps)?)
}
