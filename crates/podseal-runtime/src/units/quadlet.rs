//! Quadlet's `.container` files on this host: where Podman's generator looks
//! for them, and the services that it makes.
//!
//! The search path and the way it is walked follow `podman-systemd.unit(5)` and
//! the generator of Podman 5.4, compared with `quadlet -dryrun -v`.

mod generator;
mod search_path;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use podseal_core::unit::Effect;
use podseal_core::unit::effective::quadlet::Answer;
use podseal_core::unit::effective::search::{Entry, SearchDir};
use podseal_core::unit::effective::{Diagnostic, Scope};
use podseal_core::unit::name::UnitName;
use podseal_core::unit::quadlet::resource::{
    Resource, Resources, has_type, is_quadlet, optional_devices, references,
};
use podseal_core::unit::quadlet::search::{dropin_directories, dropins};
use podseal_core::unit::quadlet::{Generator, QuadletFile};

use super::UnitError;
use super::files;

use generator::Answers;

pub(super) use generator::installed;
pub(super) use search_path::{own_directory, search_path};

/// What the generator said, once it was asked; none where there is none.
type Said = OnceLock<Option<Result<Answers, String>>>;

/// What the generator said about directories.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked(Arc<Mutex<BTreeMap<Option<String>, Arc<Said>>>>);

/// What the generator finds in its directories.
#[derive(Debug)]
pub(super) struct QuadletFiles {
    scope: Scope,
    /// The directories to ask the generator about, where they are not its own.
    directory: Option<String>,
    /// What the generator said when a file was first looked at.
    answers: Arc<Said>,
    /// The directories, the strongest first.
    dirs: Vec<String>,
    /// The paths of the files, by name.
    files: BTreeMap<String, PathBuf>,
    /// Directories of which the generator reads nothing, and why.
    unread: BTreeMap<String, Diagnostic>,
    /// The names of the directories of drop-ins that exist, and where.
    dropin_directories: BTreeMap<String, Vec<String>>,
    /// The files that services are made of, by the name of the service.
    services: BTreeMap<UnitName, String>,
    /// The names that `[Install]` gives services, and those services.
    aliases: BTreeMap<UnitName, UnitName>,
}

/// A `.container` file with its drop-ins, and what the translation needs.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) unit: UnitName,
    pub(super) file: QuadletFile,
    pub(super) problems: Vec<Diagnostic>,
    /// The behaviour of the generator.
    pub(super) generator: Generator,
    /// What the generator itself makes of the file, where it is installed.
    pub(super) answer: Option<Answer>,
    pub(super) resources: Resources,
    pub(super) missing_devices: BTreeSet<String>,
}

impl QuadletFiles {
    /// Lists these directories.
    pub(super) fn list(
        dirs: Vec<String>,
        scope: Scope,
        directory: Option<String>,
        asked: &Asked,
    ) -> Self {
        let mut asked = asked.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = asked.entry(directory.clone()).or_default();
        let mut found = Self {
            scope,
            directory,
            answers: Arc::clone(answers),
            dirs: Vec::new(),
            files: BTreeMap::new(),
            unread: BTreeMap::new(),
            dropin_directories: BTreeMap::new(),
            services: BTreeMap::new(),
            aliases: BTreeMap::new(),
        };
        for dir in &dirs {
            found.list_one(dir);
        }
        found.dirs = dirs;
        let containers = found.files.iter();
        let containers: Vec<(String, PathBuf)> = containers
            .filter(|(name, _)| has_type(name, "container"))
            .map(|(name, path)| (name.clone(), path.clone()))
            .collect();
        for (name, path) in containers {
            // A file that cannot be read is told when it is asked for.
            if let Ok(file) = found.merged(&path, &mut Vec::new()) {
                found.add_service(name, &file);
            }
        }
        found
    }

    fn list_one(&mut self, dir: &str) {
        let Ok(listing) = fs::read_dir(dir) else {
            // The generator passes over it.
            return;
        };
        let entries = listing.filter_map(Result::ok);
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let names: BTreeSet<String> = names.collect();
        for name in names {
            let path = Path::new(dir).join(&name);
            if name.strip_suffix(".d").is_some_and(|_| path.is_dir()) {
                let of_name = self.dropin_directories.entry(name).or_default();
                of_name.push(dir.to_owned());
            } else if is_quadlet(&name) && !self.files.contains_key(&name) {
                if let Err(problem) = parse(&path.to_string_lossy()) {
                    self.unread.entry(dir.to_owned()).or_insert(problem);
                }
                self.files.insert(name, path);
            }
        }
    }

    fn add_service(&mut self, name: String, file: &QuadletFile) {
        // Asking the generator for its version can wait: it has no part in names.
        let generator = Generator::NEWEST;
        let Some(resource) = Resource::of(file, generator) else {
            return;
        };
        let Ok(unit) = resource.service.parse::<UnitName>() else {
            return;
        };
        for alias in file.aliases(generator) {
            self.aliases.insert(alias, unit.clone());
        }
        self.services.insert(unit, name);
    }

    fn answers(&self) -> Option<&Result<Answers, String>> {
        let ask = || {
            let answers = Answers::of(self.scope, self.directory.as_deref())?;
            Some(answers.map_err(|error| error.to_string()))
        };
        self.answers.get_or_init(ask).as_ref()
    }

    /// The behaviour of the generator on this host, else the newest.
    fn generator(&self) -> Generator {
        match self.answers() {
            Some(Ok(answers)) => answers.generator,
            _ => Generator::NEWEST,
        }
    }

    /// The directory that the generator fills, were it to run now.
    pub(super) fn generated(&self, path: &str) -> SearchDir {
        let aliases = self.aliases.iter();
        let aliases =
            aliases.map(|(alias, unit)| (alias.to_string(), Entry::Link(unit.to_string())));
        let services = self.services.keys();
        let services = services.map(|unit| (unit.to_string(), Entry::File));
        SearchDir {
            path: path.to_owned(),
            entries: aliases.chain(services).collect(),
        }
    }

    /// The name of the file that a service is made of.
    pub(super) fn source_of(&self, service: &UnitName) -> Option<&str> {
        self.services.get(service).map(String::as_str)
    }

    /// Reads a file and what it refers to.
    pub(super) fn container(&self, name: &str) -> Result<Container, UnitError> {
        let path = self.files.get(name).ok_or_else(|| UnitError::NoQuadlet {
            name: name.to_owned(),
        })?;
        let text = path.to_string_lossy();
        // What cannot be read at all is no view.
        files::read_bytes(&text)?;
        let mut problems = Vec::new();
        let dir = path.parent().unwrap_or(Path::new("/")).to_string_lossy();
        let file = match self.merged(path, &mut problems) {
            Ok(file) => file,
            Err(problem) => {
                problems.push(problem);
                QuadletFile::empty(&text)
            }
        };
        if let Some(problem) = self.unread.get(dir.as_ref())
            && !problems.contains(problem)
        {
            problems.push(Diagnostic {
                message: format!("{}; the generator reads nothing of {dir}", problem.message),
                ..problem.clone()
            });
        }
        let generator = self.generator();
        let service = Resource::of(&file, generator).map(|resource| resource.service);
        let service = service.unwrap_or_default();
        let answer = match self.answers() {
            None => None,
            Some(Ok(answers)) => Some(answers.about(name, &service)),
            Some(Err(error)) => {
                problems.push(Diagnostic {
                    origin: None,
                    effect: Effect::Used,
                    message: format!("Podman's generator did not answer: {error}"),
                });
                None
            }
        };
        let unit = service.parse().map_err(|source| UnitError::Name {
            argument: service,
            source,
        })?;
        Ok(Container {
            unit,
            generator,
            answer,
            resources: self.resources(&file),
            missing_devices: optional_devices(&file, generator)
                .into_iter()
                .filter(|device| !Path::new(device).exists())
                .collect(),
            file,
            problems,
        })
    }

    fn resources(&self, file: &QuadletFile) -> Resources {
        let mut resources = Resources::new();
        for name in references(file) {
            let Some(path) = self.files.get(&name) else {
                continue;
            };
            let file = self.merged(path, &mut Vec::new()).ok();
            if let Some(resource) = file.and_then(|file| Resource::of(&file, self.generator())) {
                resources.insert(name, resource);
            }
        }
        resources
    }

    /// A file with its drop-ins, those that the generator passes over left out.
    fn merged(
        &self,
        path: &Path,
        problems: &mut Vec<Diagnostic>,
    ) -> Result<QuadletFile, Diagnostic> {
        let mut file = parse(&path.to_string_lossy())?;
        for dropin in self.dropins(file.name()) {
            match parse(&dropin) {
                Ok(dropin) => file.merge(dropin),
                Err(problem) => problems.push(Diagnostic {
                    effect: Effect::Ignored,
                    message: format!("{}; the drop-in is passed over", problem.message),
                    ..problem
                }),
            }
        }
        Ok(file)
    }

    fn dropins(&self, name: &str) -> Vec<String> {
        let names = dropin_directories(name);
        let names: Vec<(&String, &Vec<String>)> = names
            .iter()
            .filter_map(|name| self.dropin_directories.get_key_value(name))
            .collect();
        if names.is_empty() {
            return Vec::new();
        }
        let mut directories = Vec::new();
        for dir in &self.dirs {
            for (name, _) in names.iter().filter(|(_, dirs)| dirs.contains(dir)) {
                let path = format!("{dir}/{name}");
                let listing = fs::read_dir(&path).into_iter().flatten();
                let files = listing.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                directories.push((path, files.collect()));
            }
        }
        dropins(&directories)
    }
}

/// Reads a Quadlet file, or says why the generator does not.
fn parse(path: &str) -> Result<QuadletFile, Diagnostic> {
    let bytes = files::read_bytes(path).map_err(|error| Diagnostic {
        origin: None,
        effect: Effect::Refused,
        message: error.to_string(),
    })?;
    QuadletFile::parse(path, &bytes)
        .map_err(|error| Diagnostic::of_quadlet(&error, Effect::Refused))
}
