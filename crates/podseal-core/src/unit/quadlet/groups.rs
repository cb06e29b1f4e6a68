//! Sections and their settings, with the place of each.

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

/// A generated unit file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Its text.
    pub text: String,
    /// Where each line comes from, the first line first.
    pub origins: Vec<Origin>,
}

impl Generated {
    fn push(&mut self, line: &str, origin: &Origin) {
        self.text.push_str(line);
        self.text.push('\n');
        self.origins.push(origin.clone());
    }
}
