//! The manager of units that is running, asked through systemctl(1).

mod properties;

use podseal_core::unit::effective::Scope;
use podseal_core::unit::name::{NameKind, UnitName};

use crate::command::{self, CommandError, LIMIT};

pub use properties::Properties;

/// A manager that answers.
#[derive(Debug, Clone, Copy)]
pub struct Manager {
    scope: Scope,
}

impl Manager {
    /// The user's or the system's manager, if there is one and it can be
    /// reached from here.
    #[must_use]
    pub fn reach(scope: Scope) -> Option<Self> {
        let manager = Self { scope };
        let version = manager.ask(&["show", "--property=Version"]);
        version.is_ok().then_some(manager)
    }

    /// `--user` or `--system`.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self.scope {
            Scope::User => "--user",
            Scope::System => "--system",
        }
    }

    /// Whose manager it is.
    #[must_use]
    pub const fn scope(self) -> Scope {
        self.scope
    }

    /// Has it read all unit files again.
    ///
    /// # Errors
    /// It did not.
    pub fn reload(self) -> Result<(), CommandError> {
        self.ask(&["daemon-reload"]).map(drop)
    }

    /// The paths of the drop-ins that it has read for a unit, separated by
    /// blanks. A template is looked at as one of its instances.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn dropins(self, unit: &UnitName) -> Result<String, CommandError> {
        let instance = match unit.kind() {
            NameKind::Template => unit.with_instance("podseal").ok(),
            NameKind::Plain | NameKind::Instance => None,
        };
        let unit = instance.as_ref().unwrap_or(unit);
        self.ask(&[
            "show",
            "--property=DropInPaths",
            "--value",
            "--",
            unit.as_str(),
        ])
    }

    /// The names under which units are running: their own, or those of the
    /// instances of a template.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn running<'a>(
        self,
        units: impl IntoIterator<Item = &'a UnitName>,
    ) -> Result<Vec<String>, CommandError> {
        // The arguments are patterns, in which a backslash has a meaning.
        let patterns = units.into_iter().map(|unit| {
            let pattern = match unit.kind() {
                NameKind::Template => unit.as_str().replacen('@', "@*", 1),
                NameKind::Plain | NameKind::Instance => unit.as_str().to_owned(),
            };
            pattern.replace('\\', "\\\\")
        });
        let patterns: Vec<String> = patterns.collect();
        self.list("--state=active,activating,reloading", &patterns)
    }

    /// The names of units that are being started.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn activating(self) -> Result<Vec<String>, CommandError> {
        self.list("--state=activating", &[])
    }

    fn list(self, state: &str, patterns: &[String]) -> Result<Vec<String>, CommandError> {
        let options = [
            "list-units",
            "--full",
            "--plain",
            "--no-legend",
            state,
            "--",
        ];
        let patterns = patterns.iter().map(String::as_str);
        let listed = self.ask(&options.into_iter().chain(patterns).collect::<Vec<_>>())?;
        let names = listed
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        Ok(names.map(str::to_owned).collect())
    }

    /// Properties of a unit as systemctl(1) writes them, to be compared: some
    /// have a line for each of their values.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn show(self, unit: &str, names: &[&str]) -> Result<String, CommandError> {
        let names = format!("--property={}", names.join(","));
        self.ask(&["show", &names, "--", unit])
    }

    /// The command that starts a unit and waits until it has started.
    #[must_use]
    pub fn start_command(self, unit: &str) -> Vec<String> {
        let words = ["systemctl", self.option(), "start", "--", unit];
        words.map(str::to_owned).into()
    }

    /// Starts units, and waits until they are up.
    ///
    /// # Errors
    /// One of them is not.
    pub fn start<'a>(
        self,
        units: impl IntoIterator<Item = &'a UnitName>,
    ) -> Result<(), CommandError> {
        self.change("start", units)
    }

    /// Stops units, those that are not there or not running included, and waits
    /// until they are down.
    ///
    /// # Errors
    /// One of them is not.
    pub fn stop<'a>(
        self,
        units: impl IntoIterator<Item = &'a UnitName>,
    ) -> Result<(), CommandError> {
        self.change("stop", units)
    }

    /// Has it forget that units failed.
    ///
    /// # Errors
    /// It could not be asked, or does not know one of them.
    pub fn reset_failed<'a>(
        self,
        units: impl IntoIterator<Item = &'a UnitName>,
    ) -> Result<(), CommandError> {
        self.change("reset-failed", units)
    }

    fn change<'a>(
        self,
        verb: &str,
        units: impl IntoIterator<Item = &'a UnitName>,
    ) -> Result<(), CommandError> {
        let units: Vec<&str> = units.into_iter().map(UnitName::as_str).collect();
        if units.is_empty() {
            return Ok(());
        }
        self.ask(&[&[verb, "--"], units.as_slice()].concat())
            .map(drop)
    }

    fn ask(self, arguments: &[&str]) -> Result<String, CommandError> {
        let words = ["systemctl", self.option(), "--no-pager"];
        let words = words.iter().chain(arguments).map(|word| (*word).to_owned());
        command::run(&words.collect::<Vec<_>>(), LIMIT)?.success()
    }
}
