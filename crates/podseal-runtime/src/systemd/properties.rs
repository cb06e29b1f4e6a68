//! Properties of units, as `systemctl show` writes them.

use std::collections::BTreeMap;

use podseal_core::unit::name::UnitName;

use super::Manager;
use crate::command::CommandError;

/// The properties of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, Vec<String>>);

impl Manager {
    /// Properties of units, each in its place. A unit that is not there has
    /// properties too: `LoadState=not-found`.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn properties(
        self,
        units: &[&str],
        names: &[&str],
    ) -> Result<Vec<Properties>, CommandError> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        // Always there, so that no unit's answer is empty.
        let wanted = format!("--property={},Id", names.join(","));
        let mut arguments = vec!["show", &wanted, "--"];
        arguments.extend(units);
        let mut answered = parse(&self.ask(&arguments)?);
        answered.resize(units.len(), Properties::default());
        Ok(answered)
    }

    /// Properties of one unit.
    ///
    /// # Errors
    /// It could not be asked.
    pub fn unit_properties(
        self,
        unit: &UnitName,
        names: &[&str],
    ) -> Result<Properties, CommandError> {
        let mut all = self.properties(&[unit.as_str()], names)?;
        Ok(all.pop().unwrap_or_default())
    }
}

/// One block of lines a unit, with an empty line between. A property with
/// several values is several lines.
fn parse(text: &str) -> Vec<Properties> {
    let mut units = Vec::new();
    let mut unit = Properties::default();
    for line in text.lines() {
        match line.split_once('=') {
            Some((name, value)) => {
                let values = unit.0.entry(name.to_owned()).or_default();
                values.push(value.to_owned());
            }
            None if line.is_empty() && !unit.0.is_empty() => units.push(std::mem::take(&mut unit)),
            // The rest of a value with a line break.
            None => {}
        }
    }
    if !unit.0.is_empty() {
        units.push(unit);
    }
    units
}

impl Properties {
    /// A property's value, empty where it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.all(name).first().map_or("", String::as_str)
    }

    /// All lines of a property.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// A property that is a text, unless it is empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        Some(self.get(name).to_owned()).filter(|value| !value.is_empty())
    }

    /// A property that is a number.
    #[must_use]
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).parse().ok()
    }

    /// A property that is a process id; 0 is none.
    #[must_use]
    pub fn pid(&self, name: &str) -> Option<i32> {
        self.number(name).filter(|pid| *pid > 0)
    }

    /// Whether a property is `yes`.
    #[must_use]
    pub fn is_yes(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    /// The words of a property.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.all(name)
            .iter()
            .flat_map(|line| line.split_whitespace())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_units() {
        let text = "MainPID=7\nId=a.service\nDescription=b=c\n\n\
                    Listen=/run/a (Stream)\nListen=127.0.0.1:1 (Stream)\nId=a.socket\nResult=\n";
        let units = parse(text);
        assert_eq!(units.len(), 2);
        assert_eq!(units[0].pid("MainPID"), Some(7));
        assert_eq!(units[0].get("Description"), "b=c");
        assert_eq!(units[1].all("Listen").len(), 2);
        assert_eq!(units[1].text("Result"), None);
        assert_eq!(units[1].get("None"), "");
    }
}
