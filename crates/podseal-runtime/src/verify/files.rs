//! Files that the copy for a place uses.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use podseal_core::lifecycle::Exit;
use podseal_core::verify::Place;
use podseal_core::verify::copy::{Own, oci_runtime};
use rustix::fs::{OFlags, StatVfsMountFlags, statvfs};

use super::run::LONGEST;
use super::{VerifyError, failed};
use crate::account::Account;
use crate::command::Output;
use crate::proof::Named;
use crate::receive::Handover;

/// Where the ids of containers may be written.
const IDS: &str = "ids";

/// Where root puts files for copies that cannot use those of its own directory.
pub(super) fn shared_directory(id: u32) -> PathBuf {
    let parents = ["/run", "/var/lib"].map(Path::new);
    let parent = parents.into_iter().find(|path| has_programs(path));
    let parent = parent.unwrap_or(Path::new("/run"));
    parent.join(name(id))
}

/// The name of that directory.
pub(super) fn name(id: u32) -> String {
    format!("podseal-verify-{id}")
}

/// Whether programs can be started from a directory: from /run they cannot, on
/// hosts that mount it so.
pub(super) fn has_programs(directory: &Path) -> bool {
    let flags = statvfs(directory).map(|found| found.f_flag);
    flags.is_ok_and(|flags| !flags.contains(StatVfsMountFlags::NOEXEC))
}

/// Makes the directory: root's, for another user to pass, with one for ids that
/// is the user's. Nothing that root writes in it is the user's to replace.
pub(super) fn make_shared(directory: &Path, account: Option<&Account>) -> io::Result<()> {
    make_directory(directory)?;
    give(&make_ids(directory)?, account)
}

/// Makes the directory for ids in that for the copies.
pub(super) fn make_ids(directory: &Path) -> io::Result<PathBuf> {
    let ids = directory.join(IDS);
    DirBuilder::new().mode(0o700).create(&ids)?;
    Ok(ids)
}

/// A directory that others may pass, whatever this process's umask is.
fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o711).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o711))
}

/// Gives a file in a directory of root's to the other user, if there is one.
fn give(path: &Path, account: Option<&Account>) -> io::Result<()> {
    let Some(Account { user, .. }) = account else {
        return Ok(());
    };
    lchown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
}

/// The files for one place.
pub(super) struct Files<'a> {
    /// Where the copy is handed its sockets.
    pub(super) socket: String,
    /// The program in the OCI runtime's place.
    pub(super) wrapper: String,
    /// Where Podman may write ids.
    pub(super) ids: String,
    /// What that program writes, as its output is lost.
    report: PathBuf,
    /// The other user whose the copy is.
    account: Option<&'a Account>,
}

impl<'a> Files<'a> {
    pub(super) fn new(
        directory: &Path,
        place: Place,
        oci_runtime: &str,
        account: Option<&'a Account>,
    ) -> Self {
        let path = |name: String| directory.join(name).to_string_lossy().into_owned();
        Self {
            socket: path(format!("{}.socket", place.word())),
            wrapper: path(format!("{}/{oci_runtime}", place.word())),
            ids: path(IDS.to_owned()),
            report: directory.join(format!("{}.json", place.word())),
            account,
        }
    }

    /// Listens for the copy.
    pub(super) fn listen(&self) -> Result<Handover, VerifyError> {
        let handover = Handover::listen(self.socket.as_ref())
            .map_err(|error| failed("listen for a copy")(io::Error::other(error)))?;
        give(self.socket.as_ref(), self.account)
            .map_err(failed("have a copy reach its sockets"))?;
        Ok(handover)
    }

    /// Puts a program into the OCI runtime's place.
    pub(super) fn prepare(&self, own: &Own<'_>, sockets: &[Named<'_>]) -> Result<(), VerifyError> {
        let names: Vec<&str> = sockets.iter().map(|(name, _)| *name).collect();
        let report = self.report.to_string_lossy();
        let text = oci_runtime(own, &names, &report);
        let write = || {
            let path: &Path = self.wrapper.as_ref();
            let directory = path.parent().unwrap_or(path);
            if !directory.exists() {
                make_directory(directory)?;
            }
            fs::write(path, text)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
            self.open(OpenOptions::new().write(true).create(true).truncate(true))?;
            give(&self.report, self.account)
        };
        write().map_err(failed("write the program for the OCI runtime's place"))
    }

    /// Puts what it wrote in the place of what was heard of it: Podman fails
    /// behind it in any case.
    pub(super) fn take(&self, output: &mut Output) {
        output.stdout = self.read().unwrap_or_default();
        if !output.stdout.is_empty() {
            output.exit = Exit::Code(0);
        }
    }

    fn read(&self) -> io::Result<String> {
        let file = self.open(OpenOptions::new().read(true))?;
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text)?;
        Ok(text)
    }

    fn open(&self, options: &mut OpenOptions) -> io::Result<File> {
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
        options.mode(0o600).custom_flags(flags).open(&self.report)
    }
}
