//! Whether a user's manager runs without a login, asked through loginctl(1).

use crate::command::{self, CommandError, LIMIT};
use crate::host::User;

/// Whether the user lingers: then what is enabled starts at boot. None where
/// logind cannot be asked.
#[must_use]
pub fn is_enabled(user: &User) -> Option<bool> {
    let answer = loginctl(&[
        "show-user",
        "--property=Linger",
        "--value",
        "--",
        &user.name,
    ]);
    match answer {
        Ok(answer) => Some(answer.trim() == "yes"),
        // It only knows users that are logged in or linger.
        Err(CommandError::Failed { .. }) => Some(false),
        Err(error) => {
            tracing::debug!(%error, "cannot tell whether the user lingers");
            None
        }
    }
}

/// Has the user linger.
///
/// # Errors
/// logind did not.
pub fn enable(user: &User) -> Result<(), CommandError> {
    loginctl(&["enable-linger", "--", &user.name]).map(drop)
}

/// Has the user linger no more.
///
/// # Errors
/// logind did not.
pub fn disable(user: &User) -> Result<(), CommandError> {
    loginctl(&["disable-linger", "--", &user.name]).map(drop)
}

fn loginctl(arguments: &[&str]) -> Result<String, CommandError> {
    let words = ["loginctl", "--no-ask-password"];
    let words = words.iter().chain(arguments).map(|word| (*word).to_owned());
    command::run(&words.collect::<Vec<_>>(), LIMIT)?.success()
}
