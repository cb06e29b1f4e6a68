//! Trying OCI runtimes under the seal of each level.

use std::fs;
use std::path::{Path, PathBuf};

use podseal_core::doctor::facts::{Landlock, Look, NotLooked, Runtime};
use podseal_core::policy::level::Level;
use podseal_core::policy::mechanism;
use podseal_core::policy::seal::Seal;

use super::{Batch, Results, not_looked};
use crate::command;
use crate::host::User;
use crate::instance::Instance;
use crate::oci_runtime::{Bundle, KNOWN};

/// Trials that are prepared.
pub(super) struct Trials<'a> {
    user: &'a User,
    /// Levels to try, or why not.
    levels: Vec<(Level, Look<()>)>,
    added: Vec<Added>,
    bundles: Vec<Bundle>,
    /// Where the bundles go.
    directory: &'a Look<Instance>,
}

/// A runtime whose trials are in a batch.
struct Added {
    path: PathBuf,
    version: Look<usize>,
    trials: Vec<(Level, Look<usize>)>,
}

/// Whether two paths are of one program.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|path| real(other) == Some(path))
}

impl<'a> Trials<'a> {
    pub(super) fn new(
        user: &'a User,
        directory: &'a Look<Instance>,
        is_ready: &Look<()>,
        landlock: &Landlock,
    ) -> Self {
        // Root's trials need nothing of Podman.
        let is_ready = if user.is_rootless() {
            is_ready.clone()
        } else {
            Ok(())
        };
        let levels = Level::ALL.map(|level| {
            let lacks = mechanism::of(level)
                .any(|mechanism| mechanism.is_required && landlock.missing.contains(&mechanism));
            let ready = is_ready.clone().and_then(|()| {
                if lacks {
                    Err(NotLooked::because("this kernel lacks Landlock for it"))
                } else {
                    Ok(())
                }
            });
            (level, ready)
        });
        Self {
            user,
            levels: levels.into(),
            added: Vec::new(),
            bundles: Vec::new(),
            directory,
        }
    }

    /// Adds the installed runtimes that podseal knows.
    pub(super) fn add_installed(&mut self, batch: &mut Batch) {
        for path in KNOWN.iter().filter_map(|name| command::find(name)) {
            self.add(batch, path);
        }
    }

    /// Tries `path`, unless it is among `known`.
    pub(super) fn run_missing(&mut self, path: &Path, known: &[Runtime]) -> Vec<Runtime> {
        if known.iter().any(|runtime| is_same(&runtime.path, path)) {
            return Vec::new();
        }
        self.added.clear();
        let mut batch = Batch::default();
        self.add(&mut batch, path.to_owned());
        let results = batch.run();
        self.results(&results)
    }

    fn add(&mut self, batch: &mut Batch, path: PathBuf) {
        let version = batch.add_apart(&[&path.to_string_lossy(), "--version"], self.directory);
        let mut trials = Vec::new();
        for (level, ready) in self.levels.clone() {
            let bundle = ready.and_then(|()| self.bundle());
            let trial = bundle.map(|bundle| {
                let seal = Seal {
                    level,
                    ..Seal::default()
                };
                let index = batch.add(bundle.command(&path, &seal, self.user));
                self.bundles.push(bundle);
                index
            });
            trials.push((level, trial));
        }
        self.added.push(Added {
            path,
            version,
            trials,
        });
    }

    /// Each trial has one of its own: they run at the same time.
    fn bundle(&self) -> Look<Bundle> {
        let directory = self.directory.as_ref().map_err(Clone::clone)?;
        let name = format!("trial-{}", self.bundles.len());
        Bundle::make(directory.directory(), &name).map_err(|error| not_looked(&error))
    }

    /// What came of those that were added.
    pub(super) fn results(&self, results: &Results) -> Vec<Runtime> {
        let runtime = |added: &Added| Runtime {
            path: added.path.clone(),
            version: added.version.clone().and_then(|index| results.line(index)),
            trials: added
                .trials
                .iter()
                .map(|(level, trial)| {
                    let trial = trial.clone();
                    let said = trial.and_then(|index| Ok(results.text(index)?.map(drop)));
                    (*level, said)
                })
                .collect(),
        };
        self.added.iter().map(runtime).collect()
    }
}
