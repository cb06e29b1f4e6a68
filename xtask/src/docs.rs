//! `cargo xtask docs`: files that are generated from the code and committed.

mod schemas;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::arguments::Docs;
use crate::output;

/// A generated file: where it belongs, from the root of the repository, and
/// what makes it.
struct Generated {
    path: &'static str,
    make: fn() -> Result<Vec<u8>, DocsError>,
}

/// Every generated file.
const FILES: &[Generated] = &[
    Generated {
        path: "docs/rules.md",
        make: || Ok(podseal_core::audit::document::markdown().into_bytes()),
    },
    Generated {
        path: "docs/troubleshooting.md",
        make: || Ok(podseal_core::explain::document::markdown().into_bytes()),
    },
    Generated {
        path: "docs/schema/explain.schema.json",
        make: schemas::explain,
    },
    Generated {
        path: "docs/probes.md",
        make: || Ok(podseal_core::probe::document::markdown().into_bytes()),
    },
    Generated {
        path: "docs/schema/doctor.schema.json",
        make: schemas::doctor,
    },
    Generated {
        path: "docs/schema/show.schema.json",
        make: schemas::show,
    },
    Generated {
        path: "docs/schema/status.schema.json",
        make: schemas::status,
    },
    Generated {
        path: "docs/schema/verify.schema.json",
        make: schemas::verify,
    },
];

/// Generated files cannot be made, read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocsError {
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A schema has no JSON form.
    #[error("cannot write a schema as JSON")]
    Schema { source: serde_json::Error },
}

/// Writes the files, or with `--check` names those that are not as they would
/// be written and returns 1 if there are any.
pub(crate) fn run(docs: &Docs) -> Result<u8, DocsError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut status = 0;
    for file in FILES {
        let made = (file.make)()?;
        let path = root.join(file.path);
        if is_current(&path, &made)? {
            continue;
        }
        if docs.check {
            output::note(format_args!(
                "{} is not up to date: run `cargo xtask docs`",
                file.path
            ));
            status = 1;
        } else {
            write(&path, &made)?;
            output::note(format_args!("wrote {}", file.path));
        }
    }
    Ok(status)
}

fn is_current(path: &Path, made: &[u8]) -> Result<bool, DocsError> {
    match fs::read(path) {
        Ok(found) => Ok(found == made),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(DocsError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn write(path: &Path, made: &[u8]) -> Result<(), DocsError> {
    let error = |source| DocsError::Write {
        path: path.to_owned(),
        source,
    };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(error)?;
    }
    fs::write(path, made).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_noticed() {
        let path = std::env::temp_dir().join(format!("podseal-docs-{}", std::process::id()));
        assert!(!is_current(&path, b"a").expect("missing is stale"));
        write(&path, b"a").expect("written");
        assert!(is_current(&path, b"a").expect("read"));
        assert!(!is_current(&path, b"b").expect("read"));
        fs::remove_file(&path).expect("removed");
    }
}
