//! Properties of units, as the manager has them.

use std::collections::BTreeMap;

use podseal_core::unit::name::UnitName;

use super::Manager;
use crate::command::CommandError;

/// Properties of one unit by name; see org.freedesktop.systemd1(5).
pub type Properties = BTreeMap<String, String>;

impl Manager {
    /// Properties of units, in the order of the units. Times are written as
    /// systemctl(1) does.
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
        let property = format!("--property={}", names.join(","));
        let mut arguments = vec!["show", &property, "--"];
        arguments.extend(units);
        Ok(blocks(&self.ask(&arguments)?, units.len()))
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

/// Units are separated by empty lines. One of which no property is known has
/// a block without a line.
fn blocks(text: &str, count: usize) -> Vec<Properties> {
    let mut blocks: Vec<Properties> = text.split("\n\n").map(block).collect();
    blocks.resize(count, Properties::new());
    blocks
}

fn block(text: &str) -> Properties {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_for_each_unit() {
        let text = "Id=a.service\nListen=\n\nId=b.service\nEnvironment=A=B\n";
        let found = blocks(text, 3);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0]["Listen"], "");
        assert_eq!(found[1]["Environment"], "A=B");
        assert!(found[2].is_empty());
    }
}
