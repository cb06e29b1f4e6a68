//! Trying OCI runtimes under the seal of each level.

use std::fs;
use std::path::{Path, PathBuf};

use podseal_core::doctor::facts::{Landlock, Look, NotLooked, Runtime, Trial};
use podseal_core::policy::level::Level;
use podseal_core::policy::mechanism;
use podseal_core::policy::seal::Seal;

use super::{Batch, Results, not_looked};
use crate::command;
use crate::host::User;
use crate::instance::Instance;
use crate::oci_runtime::{self, Bundle, KNOWN};

/// What it takes to try a runtime.
pub(super) struct Trials<'a> {
    user: &'a User,
    /// Levels to try, each with its container's profile, or why not.
    levels: Vec<(Level, Look<Option<&'a str>>)>,
    /// Where the bundles go.
    directory: &'a Look<Instance>,
}

/// A trial in a batch.
struct Added<'a> {
    index: usize,
    profile: Option<&'a str>,
    /// It is there until the trial ends.
    _bundle: Bundle,
}

/// Whether two paths are of one program.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|path| real(other) == Some(path))
}

impl<'a> Trials<'a> {
    pub(super) fn new(
        user: &'a User,
        directory: &'a Look<Instance>,
        is_ready: &Look<()>,
        landlock: &Landlock,
        profile: &'a Trial<String>,
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
            let ready = is_ready.clone().and_then(|()| match profile {
                _ if lacks => Err(NotLooked::because("this kernel lacks Landlock for it")),
                _ if level < Level::Strict => Ok(None),
                Ok(Ok(profile)) => Ok(Some(profile.as_str())),
                Ok(Err(_)) => Err(NotLooked::because("there is no seccomp profile for it")),
                Err(why) => Err(why.clone()),
            });
            (level, ready)
        });
        Self {
            user,
            levels: levels.into(),
            directory,
        }
    }

    /// Tries the one that Podman takes, where that is known, and the installed
    /// ones that podseal knows, side by side.
    pub(super) fn run(&self, default: Option<&Path>) -> Vec<Runtime> {
        let mut paths: Vec<PathBuf> = default.map(PathBuf::from).into_iter().collect();
        for path in KNOWN.iter().filter_map(|name| command::find(name)) {
            if !paths.iter().any(|known| is_same(known, &path)) {
                paths.push(path);
            }
        }
        let mut batch = Batch::default();
        let mut count = 0;
        let added: Vec<_> = paths
            .into_iter()
            .map(|path| {
                let trials = self.levels.iter().map(|(level, ready)| {
                    count += 1;
                    let trial = |profile| self.add(&mut batch, &path, *level, profile, count);
                    (*level, ready.clone().and_then(trial))
                });
                let trials: Vec<_> = trials.collect();
                let version = [&path.to_string_lossy(), "--version"];
                (batch.add_apart(&version, self.directory), trials, path)
            })
            .collect();
        let results = batch.run();
        let runtime =
            |(version, trials, path): (Look<usize>, Vec<(Level, Look<Added>)>, _)| Runtime {
                path,
                version: version.and_then(|index| results.line(index)),
                trials: trials
                    .into_iter()
                    .map(|(level, trial)| (level, trial.and_then(|trial| trial.result(&results))))
                    .collect(),
            };
        added.into_iter().map(runtime).collect()
    }

    /// Each trial has a bundle of its own: they run at the same time.
    fn add(
        &self,
        batch: &mut Batch,
        runtime: &Path,
        level: Level,
        profile: Option<&'a str>,
        number: usize,
    ) -> Look<Added<'a>> {
        let directory = self.directory.as_ref().map_err(Clone::clone)?;
        let bundle = Bundle::make(directory.directory(), &format!("trial-{number}"), profile)
            .map_err(|error| not_looked(&error))?;
        let seal = Seal {
            level,
            ..Seal::default()
        };
        Ok(Added {
            index: batch.add(bundle.command(runtime, &seal, self.user)),
            profile,
            _bundle: bundle,
        })
    }
}

impl Added<'_> {
    fn result(&self, results: &Results) -> Trial<()> {
        let said = results.text(self.index)?;
        Ok(said.and_then(|said| oci_runtime::judge(said, self.profile)))
    }
}
