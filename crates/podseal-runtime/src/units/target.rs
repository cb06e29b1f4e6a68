//! What a command line names.

use std::path::PathBuf;

use podseal_core::unit::name::{NameKind, UnitName, UnitType};
use podseal_core::unit::quadlet::resource::{has_type, is_quadlet};

use super::UnitError;

/// What a command line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A unit, to be looked for where a manager looks.
    Name(UnitName),
    /// A file, with nothing but what lies beside it.
    File {
        /// Its path.
        path: PathBuf,
        /// The unit that it is the file of.
        unit: UnitName,
    },
    /// A `.container` file, to be looked for where Podman's generator looks.
    Quadlet(String),
    /// The path of a `.container` file, with nothing but what lies beside it.
    QuadletFile(PathBuf),
}

impl Target {
    /// Reads an argument: with a slash it is a file, else a name, to which
    /// `.service` is added where it has no type.
    ///
    /// # Errors
    /// It is neither, or of a kind that podseal does not read.
    pub fn parse(argument: &str) -> Result<Self, UnitError> {
        let name = argument.rsplit('/').next().unwrap_or(argument);
        let is_file = argument.contains('/');
        if has_type(name, "container") && name != ".container" {
            return Ok(if is_file {
                Self::QuadletFile(argument.into())
            } else {
                Self::Quadlet(argument.to_owned())
            });
        }
        if is_quadlet(name) {
            return Err(UnitError::Quadlet {
                argument: argument.to_owned(),
            });
        }
        let invalid = |source| UnitError::Name {
            argument: argument.to_owned(),
            source,
        };
        let unit: UnitName = match name.parse() {
            Ok(unit) => unit,
            Err(_) if !is_file && !matches!(name, "" | "." | "..") => {
                format!("{name}.service").parse().map_err(invalid)?
            }
            Err(error) => return Err(invalid(error)),
        };
        if !matches!(unit.unit_type(), UnitType::Service | UnitType::Socket) {
            return Err(UnitError::Kind { unit });
        }
        if is_file {
            let path = argument.into();
            return Ok(Self::File { path, unit });
        }
        if unit.kind() == NameKind::Template {
            return Err(UnitError::Template { unit });
        }
        Ok(Self::Name(unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let name = |text: &str| Target::Name(text.parse().expect("valid"));
        let file = |path: &str, unit: &str| Target::File {
            path: path.into(),
            unit: unit.parse().expect("valid"),
        };
        let cases = [
            ("a", name("a.service")),
            ("a.b", name("a.b.service")),
            ("a.socket", name("a.socket")),
            ("a@b", name("a@b.service")),
            ("./a.service", file("./a.service", "a.service")),
            ("/x/a@.socket", file("/x/a@.socket", "a@.socket")),
            ("../a.service", file("../a.service", "a.service")),
            ("a.container", Target::Quadlet("a.container".into())),
            ("x/a.container", Target::QuadletFile("x/a.container".into())),
        ];
        for (argument, expected) in cases {
            assert_eq!(Target::parse(argument).expect("accepted"), expected);
        }
    }

    #[test]
    fn arguments_that_are_refused() {
        let is_name = |e: &UnitError| matches!(e, UnitError::Name { .. });
        let long = "a".repeat(250);
        for argument in [
            "",
            ".",
            "..",
            "a b",
            "@x",
            "a/",
            "./a",
            "../..",
            "a/..",
            "@.service",
            "\u{e4}",
            &long,
        ] {
            let error = Target::parse(argument).expect_err(argument);
            assert!(is_name(&error), "{argument}: {error:?}");
            assert!(error.to_string().contains(argument), "{error}");
        }
        let cases = [
            ("x/a.kube", "Quadlet"),
            ("a.timer", "is a timer"),
            ("a@", "a@.service is a template"),
            ("a@.socket", "a@.socket is a template"),
        ];
        for (argument, text) in cases {
            let error = Target::parse(argument).expect_err(argument).to_string();
            assert!(error.contains(text), "{argument}: {error}");
        }
    }
}
