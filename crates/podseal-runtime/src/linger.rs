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

/// A user who lingers, and does not any more once this is dropped, unless that
/// was so before or is to stay.
#[derive(Debug)]
pub struct Lingering {
    user: User,
    is_new: bool,
}

impl Lingering {
    /// Has the user linger.
    ///
    /// # Errors
    /// logind did not.
    pub fn enable(user: &User) -> Result<Self, CommandError> {
        let is_new = is_enabled(user) != Some(true);
        if is_new {
            loginctl(&["enable-linger", "--", &user.name])?;
        }
        Ok(Self {
            user: user.clone(),
            is_new,
        })
    }

    /// Lets it stay.
    pub fn keep(mut self) {
        self.is_new = false;
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if self.is_new
            && let Err(error) = loginctl(&["disable-linger", "--", &self.user.name])
        {
            tracing::warn!(%error, "lingering is still enabled");
        }
    }
}

fn loginctl(arguments: &[&str]) -> Result<String, CommandError> {
    let words = ["loginctl", "--no-ask-password"];
    let words = words.iter().chain(arguments).map(|word| (*word).to_owned());
    command::run(&words.collect::<Vec<_>>(), LIMIT)?.success()
}
