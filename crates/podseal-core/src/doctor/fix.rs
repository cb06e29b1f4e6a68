//! What to do about a finding.

use super::facts::{Facts, Installer};

/// Words, and the commands that do it where there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fix {
    /// For people; none where there is nothing to do.
    pub advice: Option<String>,
    /// In order.
    pub commands: Vec<Command>,
}

/// A line for a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The line.
    pub line: String,
    /// Whether only root can do it.
    pub as_root: bool,
}

impl Command {
    /// The line as this user has to type it.
    #[must_use]
    pub fn typed(&self, is_rootless: bool) -> String {
        if self.as_root && is_rootless {
            format!("sudo {}", self.line)
        } else {
            self.line.clone()
        }
    }
}

impl Fix {
    pub(super) fn advice(text: impl Into<String>) -> Self {
        Self {
            advice: Some(text.into()),
            commands: Vec::new(),
        }
    }

    pub(super) fn user(mut self, line: impl Into<String>) -> Self {
        self.commands.push(Command {
            line: line.into(),
            as_root: false,
        });
        self
    }

    pub(super) fn root(mut self, line: impl Into<String>) -> Self {
        self.commands.push(Command {
            line: line.into(),
            as_root: true,
        });
        self
    }

    /// Installs a package by its name in Debian and in Fedora.
    pub(super) fn install(facts: &Facts, debian: &str, fedora: &str) -> Self {
        let advice = Self::advice(if debian == fedora {
            format!("install {debian}")
        } else {
            format!("install {debian} (in Fedora: {fedora})")
        });
        match facts.installer {
            Some(Installer::AptGet) => advice.root(format!("apt-get install {debian}")),
            Some(Installer::Dnf) => advice.root(format!("dnf install {fedora}")),
            None => advice,
        }
    }

    /// Sets a kernel setting, now and at each boot.
    pub(super) fn sysctl(setting: &str) -> Self {
        Self::advice(format!(
            "set {setting}, and put it into a file in /etc/sysctl.d to keep it"
        ))
        .root(format!("sysctl -w {setting}"))
    }
}
