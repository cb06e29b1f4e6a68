//! Sections and their settings, with the place of each.

use std::collections::{BTreeMap, VecDeque};

use crate::unit::effective::Origin;

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// A section: all of those with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    /// Its first header.
    pub(super) header: Origin,
    pub(super) lines: Vec<Line>,
}

/// The sections of a file in the order in which they first appear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// The index of the section that is being read.
    open: Option<usize>,
}

impl Groups {
    pub(super) fn get(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The index of a section, which is made where it is missing.
    fn ensure(&mut self, name: &str, header: &Origin) -> usize {
        if let Some(index) = self.groups.iter().position(|group| group.name == name) {
            return index;
        }
        self.groups.push(Group {
            name: name.to_owned(),
            header: header.clone(),
            lines: Vec::new(),
        });
        self.groups.len() - 1
    }

    /// Begins or goes on with a section.
    pub(super) fn open(&mut self, name: &str, header: &Origin) {
        self.open = Some(self.ensure(name, header));
    }

    /// Adds a setting to the section that was opened last; `false` without one.
    pub(super) fn add_to_open(&mut self, key: &str, value: &str, origin: Origin) -> bool {
        let Some(index) = self.open else {
            return false;
        };
        self.groups[index].lines.push(Line {
            key: key.to_owned(),
            value: value.to_owned(),
            origin,
        });
        true
    }

    pub(super) fn merge(&mut self, other: Self) {
        for group in other.groups {
            let index = self.ensure(&group.name, &group.header);
            self.groups[index].lines.extend(group.lines);
        }
    }

    /// The settings with this section and key.
    pub(super) fn all(&self, section: &str, key: &str) -> impl DoubleEndedIterator<Item = &Line> {
        let lines = self.get(section).map_or(&[][..], |group| &group.lines);
        lines.iter().filter(move |line| line.key == key)
    }

    pub(super) fn last(&self, section: &str, key: &str) -> Option<&Line> {
        self.all(section, key).next_back()
    }

    /// Adds a setting at the end of its section.
    pub(super) fn add(&mut self, section: &str, key: &str, value: &str, origin: &Origin) {
        let index = self.ensure(section, origin);
        self.groups[index].lines.push(Line {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: origin.clone(),
        });
    }

    /// Adds a setting at the beginning of its section.
    pub(super) fn prepend(&mut self, section: &str, key: &str, value: &str, origin: &Origin) {
        let index = self.ensure(section, origin);
        let line = Line {
            key: key.to_owned(),
            value: value.to_owned(),
            origin: origin.clone(),
        };
        self.groups[index].lines.insert(0, line);
    }

    /// Changes the last setting with this key, or adds it.
    pub(super) fn set(&mut self, section: &str, key: &str, value: &str, origin: &Origin) {
        let index = self.ensure(section, origin);
        let mut lines = self.groups[index].lines.iter_mut();
        match lines.rfind(|line| line.key == key) {
            Some(line) => value.clone_into(&mut line.value),
            None => self.add(section, key, value, origin),
        }
    }

    /// Removes every setting with this key.
    pub(super) fn unset(&mut self, section: &str, key: &str) {
        if let Some(group) = self.groups.iter_mut().find(|group| group.name == section) {
            group.lines.retain(|line| line.key != key);
        }
    }

    /// Gives a section another name, or moves its settings to the section that
    /// has this name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(index) = self.groups.iter().position(|group| group.name == from) else {
            return;
        };
        if self.get(to).is_some() {
            let group = self.groups.remove(index);
            let into = self.ensure(to, &group.header);
            self.groups[into].lines.extend(group.lines);
        } else {
            to.clone_into(&mut self.groups[index].name);
        }
    }

    /// The text of a unit file with these sections, and the place that each of
    /// its lines comes from.
    pub(super) fn to_file(&self) -> Generated {
        let mut generated = Generated::default();
        for group in &self.groups {
            generated.push(&format!("[{}]", group.name), &group.header);
            for line in &group.lines {
                generated.push(&format!("{}={}", line.key, line.value), &line.origin);
            }
        }
        generated
    }
}

const COMMAND: &str = "ExecStart=";

/// A generated unit file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Its text.
    pub text: String,
    /// Where each line comes from, the first line first.
    pub origins: Vec<Origin>,
}

impl Generated {
    /// A unit file made of the same settings as `own`: the places of its lines
    /// are those of the same lines there, and for others `origin`.
    #[must_use]
    pub fn of_text(text: &str, own: Option<&Self>, origin: &Origin) -> Self {
        let mut places: BTreeMap<&str, VecDeque<&Origin>> = BTreeMap::new();
        for (line, place) in own.into_iter().flat_map(Self::lines) {
            places.entry(line).or_default().push_back(place);
        }
        let mut generated = Self::default();
        for line in text.lines() {
            let place = places.get_mut(line).and_then(VecDeque::pop_front);
            generated.push(line, place.unwrap_or(origin));
        }
        generated
    }

    /// The value of the last `ExecStart=`, which is Podman's command.
    pub(in crate::unit) fn command(&self) -> Option<&str> {
        let mut commands = self
            .lines()
            .filter_map(|(line, _)| line.strip_prefix(COMMAND));
        commands.next_back()
    }

    /// With the place of its command taken from `own`, whose options may have
    /// another order.
    pub(in crate::unit) fn with_command_at(mut self, own: &Self) -> Self {
        let at = |unit: &Self| {
            let lines = unit.text.lines().enumerate();
            let command = lines.filter(|(_, line)| line.starts_with(COMMAND)).last();
            command.map(|(at, _)| at)
        };
        if let (Some(to), Some(from)) = (at(&self), at(own)) {
            self.origins[to] = own.origins[from].clone();
        }
        self
    }

    /// The first setting of one that the other lacks; comments, empty lines and
    /// the last command are not compared.
    pub(in crate::unit) fn difference(&self, other: &Self) -> Option<String> {
        let settings = |unit: &'_ Self| -> Vec<String> {
            let lines = unit.text.lines();
            lines
                .filter(|l| !l.is_empty() && !l.starts_with(['#', ';']) && !l.starts_with(COMMAND))
                .map(str::to_owned)
                .collect()
        };
        let (own, theirs) = (settings(self), settings(other));
        let at = (0..own.len().max(theirs.len())).find(|at| own.get(*at) != theirs.get(*at))?;
        let nothing = || "nothing".to_owned();
        Some(format!(
            "{} in place of {}",
            theirs.get(at).cloned().unwrap_or_else(nothing),
            own.get(at).cloned().unwrap_or_else(nothing)
        ))
    }

    /// The lines and their places.
    fn lines(&self) -> impl DoubleEndedIterator<Item = (&str, &Origin)> {
        let lines: Vec<&str> = self.text.lines().collect();
        lines.into_iter().zip(&self.origins)
    }

    fn push(&mut self, line: &str, origin: &Origin) {
        self.text.push_str(line);
        self.text.push('\n');
        self.origins.push(origin.clone());
    }
}
