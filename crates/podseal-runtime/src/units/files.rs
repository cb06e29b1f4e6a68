//! Directory listings and contents of unit files.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};

use podseal_core::unit::effective::merge::Source;
use podseal_core::unit::effective::search::{DropIn, Entry, SearchDir, has_parts};
use podseal_core::unit::file::UnitFile;
use podseal_core::unit::name::UnitName;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::UnitError;

/// The most bytes of a unit file or drop-in. systemd has no such limit, but a
/// file of this size is no unit file.
pub const FILE_MAX: u64 = 16 << 20;

/// Names and types in a directory of the search path; `None` where there is no
/// such directory.
pub(super) fn list(path: String) -> Result<Option<SearchDir>, UnitError> {
    let error = |path: &str, source| UnitError::List {
        path: path.to_owned(),
        source,
    };
    let listing = match fs::read_dir(&path) {
        Ok(listing) => listing,
        Err(source) if is_absent(&source) => return Ok(None),
        Err(source) => return Err(error(&path, source)),
    };
    let mut entries = BTreeMap::new();
    for item in listing {
        let item = item.map_err(|source| error(&path, source))?;
        // No unit has a name that is not ASCII.
        let Ok(name) = item.file_name().into_string() else {
            continue;
        };
        let is_unit = name.parse::<UnitName>().is_ok();
        if !is_unit && !has_parts(&name) {
            continue;
        }
        if let Some(entry) = entry(&item, is_unit).map_err(|source| {
            let path = format!("{path}/{name}");
            UnitError::Read { path, source }
        })? {
            entries.insert(name, entry);
        }
    }
    Ok(Some(SearchDir { path, entries }))
}

fn entry(item: &fs::DirEntry, is_unit: bool) -> io::Result<Option<Entry>> {
    let file_type = item.file_type()?;
    let found = if file_type.is_dir() {
        Some(Entry::Directory)
    } else if !is_unit {
        let is_directory = file_type.is_symlink() && item.path().is_dir();
        is_directory.then_some(Entry::Directory)
    } else if file_type.is_symlink() {
        // What is not UTF-8 here is no alias, for that would be a unit name.
        let target = fs::read_link(item.path())?;
        Some(Entry::Link(target.to_string_lossy().into_owned()))
    } else {
        // What is no regular file either is told when it is read.
        Some(Entry::File)
    };
    Ok(found)
}

/// What is in a directory of drop-ins.
pub(super) fn list_dropins(path: &str) -> Result<BTreeMap<String, DropIn>, UnitError> {
    let error = |source| UnitError::List {
        path: path.to_owned(),
        source,
    };
    let mut found = BTreeMap::new();
    for item in fs::read_dir(path).map_err(error)? {
        let item = item.map_err(error)?;
        let name = item.file_name();
        if !name.as_encoded_bytes().ends_with(b".conf") {
            continue;
        }
        let name = name
            .into_string()
            .map_err(|_| UnitError::PathNotUtf8 { path: item.path() })?;
        let file_type = item.file_type().map_err(error)?;
        if !file_type.is_file() && !file_type.is_symlink() {
            // systemd does not see it.
            continue;
        }
        let kind = match fs::metadata(item.path()) {
            Ok(metadata) if metadata.is_file() && metadata.len() > 0 => DropIn::File,
            Ok(_) => DropIn::Masked,
            Err(source) if is_absent(&source) => DropIn::Masked,
            // Reading it will fail too, and say so if it counts.
            Err(_) => DropIn::File,
        };
        found.insert(name, kind);
    }
    Ok(found)
}

/// What is in a directory of links that are dependencies.
pub(super) fn list_links(path: &str) -> Result<BTreeMap<String, DropIn>, UnitError> {
    let error = |source| UnitError::List {
        path: path.to_owned(),
        source,
    };
    let mut found = BTreeMap::new();
    for item in fs::read_dir(path).map_err(error)? {
        let item = item.map_err(error)?;
        // No unit has a name that is not ASCII.
        let Ok(name) = item.file_name().into_string() else {
            continue;
        };
        let is_empty = fs::metadata(item.path()).is_ok_and(|metadata| {
            let is_device = metadata.file_type().is_char_device();
            is_device || metadata.is_file() && metadata.len() == 0
        });
        let is_link = item.file_type().map_err(error)?.is_symlink();
        let kind = if is_link && !is_empty {
            DropIn::File
        } else {
            DropIn::Masked
        };
        found.insert(name, kind);
    }
    Ok(found)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Reads a unit file or drop-in.
pub(super) fn read(path: &str) -> Result<Source, UnitError> {
    Ok(Source {
        path: path.to_owned(),
        file: UnitFile::parse(read_bytes(path)?),
    })
}

/// The bytes of a unit file, a drop-in or a Quadlet file.
pub(super) fn read_bytes(path: &str) -> Result<Vec<u8>, UnitError> {
    let owned = || path.to_owned();
    let error = |source| match fs::read_link(path) {
        Ok(target) if is_absent(&source) || is_loop(&source) => UnitError::DeadLink {
            path: owned(),
            target: target.to_string_lossy().into_owned(),
        },
        _ => UnitError::Read {
            path: owned(),
            source,
        },
    };
    // Opening a device may do something, and opening a pipe waits.
    check_type(path, &fs::metadata(path).map_err(error)?)?;
    let file = open(path).map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    check_type(path, &metadata)?;
    // One more than it has, to see its end without another buffer.
    let length = metadata.len().min(FILE_MAX) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // It may grow meanwhile.
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(error)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(UnitError::TooLarge { path: owned() });
    }
    if let Some(zero) = bytes.iter().position(|byte| *byte == 0) {
        let line = bytes[..zero].split(|byte| *byte == b'\n').count();
        return Err(UnitError::Binary {
            path: owned(),
            line,
        });
    }
    Ok(bytes)
}

fn check_type(path: &str, metadata: &Metadata) -> Result<(), UnitError> {
    let path = path.to_owned();
    if metadata.is_dir() {
        Err(UnitError::IsDirectory { path })
    } else if !metadata.is_file() {
        Err(UnitError::NotRegular { path })
    } else if metadata.len() > FILE_MAX {
        Err(UnitError::TooLarge { path })
    } else {
        Ok(())
    }
}

/// Opens for reading, without waiting where it has become a pipe meanwhile.
fn open(path: &str) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}
