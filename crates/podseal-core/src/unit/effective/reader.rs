//! Gives merged settings their types, and notes where each came from.

use std::collections::BTreeMap;
use std::time::Duration;

use super::merge::{Merged, MergedSetting};
use super::{Diagnostic, Origin};
use crate::unit::boolean::parse_boolean;
use crate::unit::specifier::Specifiers;
use crate::unit::time_span::TimeSpan;
use crate::unit::words::{Flags, Words};
use crate::unit::{Effect, Problem};

/// The places of a setting's values, by `SECTION.KEY`. A setting that is not
/// there has its default. Addresses and dependencies carry their own places.
pub type Origins = BTreeMap<String, Vec<Origin>>;

/// The name of a setting among [`Origins`].
fn place_name(section: &str, key: &str) -> String {
    [section, ".", key].concat()
}

/// Reads settings one key after another.
pub(super) struct Reader<'a> {
    pub(super) merged: &'a Merged,
    pub(super) specifiers: &'a Specifiers<'a>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) origins: Origins,
}

impl<'a> Reader<'a> {
    pub(super) fn new(merged: &'a Merged, specifiers: &'a Specifiers<'a>) -> Self {
        Self {
            merged,
            specifiers,
            diagnostics: merged.diagnostics.clone(),
            origins: Origins::new(),
        }
    }

    /// Notes a problem; in a drop-in nothing keeps the unit from being loaded.
    pub(super) fn note(&mut self, setting: &MergedSetting, problem: Problem) {
        let mut diagnostic = Diagnostic::at(&setting.origin, problem);
        if diagnostic.effect == Effect::Refused && self.merged.is_dropin(&setting.origin) {
            diagnostic.effect = Effect::Ignored;
        }
        self.diagnostics.push(diagnostic);
    }

    pub(super) fn ignore(&mut self, setting: &MergedSetting, message: impl Into<String>) {
        self.note(setting, Problem::ignored(message.into()));
    }

    /// Notes where a value of a list stands.
    pub(super) fn came_from(&mut self, setting: &MergedSetting) {
        self.origins
            .entry(place_name(setting.section, &setting.key))
            .or_default()
            .push(setting.origin.clone());
    }

    /// The last value that `parse` accepts.
    pub(super) fn scalar<T>(
        &mut self,
        section: &str,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let mut value = None;
        for setting in self.merged.all(section, key) {
            match parse(&setting.value) {
                Ok(parsed) => {
                    value = Some(parsed);
                    self.origins
                        .insert(place_name(section, key), vec![setting.origin.clone()]);
                }
                Err(message) => self.ignore(setting, format!("{key}={message}")),
            }
        }
        value
    }

    pub(super) fn boolean(&mut self, section: &str, key: &str) -> Option<bool> {
        self.scalar(section, key, |value| {
            parse_boolean(value).ok_or_else(|| format!("{value:?} is not yes or no"))
        })
    }

    pub(super) fn number(&mut self, section: &str, key: &str) -> Option<u32> {
        self.scalar(section, key, |value| {
            crate::number::parse_unsigned(value, u32::MAX.into())
                .ok()
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| format!("{value:?} is not an unsigned number"))
        })
    }

    pub(super) fn time_span(&mut self, section: &str, key: &str) -> Option<TimeSpan> {
        self.scalar(section, key, |value| {
            TimeSpan::parse_seconds(value).map_err(|e| e.to_string())
        })
    }

    /// As [`Reader::time_span`], where 0 means no limit.
    pub(super) fn timeout(&mut self, section: &str, key: &str) -> Option<TimeSpan> {
        self.scalar(section, key, |value| {
            TimeSpan::parse_seconds_zero_is_infinity(value).map_err(|e| e.to_string())
        })
    }

    /// `StartLimitIntervalSec=` and `StartLimitBurst=`.
    pub(super) fn start_limit(&mut self) -> (TimeSpan, u32) {
        let interval = self.time_span("Unit", "StartLimitIntervalSec");
        let burst = self.number("Unit", "StartLimitBurst");
        (
            interval.unwrap_or(TimeSpan::Finite(Duration::from_secs(10))),
            burst.unwrap_or(5),
        )
    }

    /// A text with its specifiers expanded; an empty value resets it.
    pub(super) fn text(&mut self, section: &str, key: &str) -> Option<String> {
        let specifiers = self.specifiers;
        self.scalar(section, key, |value| {
            let text = specifiers.expand(value).map_err(|e| e.to_string())?;
            Ok(text.into_owned())
        })
        .filter(|text| !text.is_empty())
    }

    /// Every setting of a list, in order. Where an empty one resets the list,
    /// `None` stands for it.
    pub(super) fn list(&mut self, section: &str, key: &str) -> Vec<Option<&'a MergedSetting>> {
        let mut origins = Vec::new();
        let mut list = Vec::new();
        for setting in self.merged.all(section, key) {
            if setting.value.is_empty() {
                origins.clear();
                list.push(None);
            } else {
                origins.push(setting.origin.clone());
                list.push(Some(setting));
            }
        }
        if !origins.is_empty() {
            self.origins.insert(place_name(section, key), origins);
        }
        list
    }

    /// Every word of a setting that `parse` accepts, specifiers expanded.
    pub(super) fn words<T>(
        &mut self,
        setting: &MergedSetting,
        flags: Flags,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        let mut words = Words::new(&setting.value);
        loop {
            let word = match words.next_word(flags) {
                Ok(Some(word)) => word,
                Ok(None) => return found,
                Err(error) => {
                    self.ignore(setting, format!("{error} in {:?}", setting.value));
                    return found;
                }
            };
            let parsed = self
                .specifiers
                .expand(&word)
                .map_err(|e| e.to_string())
                .and_then(|word| parse(&word));
            match parsed {
                Ok(value) => found.push(value),
                Err(message) => self.ignore(setting, message),
            }
        }
    }

    /// The words of a list that an empty value resets.
    pub(super) fn word_list<T>(
        &mut self,
        section: &str,
        key: &str,
        flags: Flags,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for setting in self.list(section, key) {
            match setting {
                Some(setting) => found.extend(self.words(setting, flags, &parse)),
                None => found.clear(),
            }
        }
        found
    }

    /// What was noted, in the order of the files and their lines.
    pub(super) fn finish(mut self) -> (Origins, Vec<Diagnostic>) {
        let files = std::iter::once(&self.merged.fragment).chain(&self.merged.dropins);
        let places: BTreeMap<&str, usize> = files
            .enumerate()
            .map(|(place, file)| (file.as_str(), place))
            .collect();
        self.diagnostics.sort_by_key(|diagnostic| {
            let origin = diagnostic.origin.as_ref()?;
            Some((places.get(&*origin.file).copied(), origin.line))
        });
        (self.origins, self.diagnostics)
    }
}
