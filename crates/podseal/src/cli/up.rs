//! `podseal up` and `podseal down`.

use clap::{Args, ValueEnum};
use podseal_core::listen::Listen;
use podseal_core::up;

use super::{Level, listen, service_name};

/// Make a container a sealed service of systemd's, with its sockets.
///
/// Writes NAME.container where Podman has Quadlet, else NAME.service, then
/// NAME.socket, the seal as NAME.service.d/50-podseal.conf, and the link that
/// has the socket opened at boot; then opens the socket. The service is started
/// by the first connection. The image has to be there: a sealed Podman cannot
/// pull.
///
/// Once more with other arguments changes the service: an address that has
/// changed is closed and opened anew, a running service is stopped, and started
/// by the next connection. Files that were edited, or that podseal did not
/// write, are not touched. On an error everything is put back as it was.
#[derive(Debug, Args)]
#[command(
    override_usage = "podseal up [OPTIONS] NAME --image IMAGE --listen ADDRESS... [-- ARGUMENT...]"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct Up {
    /// Name of the service.
    #[arg(value_name = "NAME", value_parser = unit_stem)]
    pub(crate) name: String,

    /// The image, which must have been pulled.
    #[arg(long, short, value_name = "IMAGE")]
    pub(crate) image: String,

    /// Address to listen on; may be given more than once.
    ///
    /// PORT, IPV4:PORT or [IPV6]:PORT (TCP), /PATH or @NAME (a UNIX stream
    /// socket; unix-seqpacket: or unix-dgram: before it for other kinds). A bare
    /// PORT is every address of this host.
    #[arg(long, short, value_name = "ADDRESS", required = true, value_parser = listen)]
    pub(crate) listen: Vec<Listen>,

    /// Name of the socket for the service (LISTEN_FDNAMES): once for all, or
    /// once for each --listen. Each name has a socket unit of its own
    /// [default: NAME.socket].
    #[arg(long, value_name = "NAME", value_parser = service_name)]
    pub(crate) fdname: Vec<String>,

    /// Variable of the container; may be given more than once.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<String>,

    /// Mount, as `podman run --volume` takes it; may be given more than once.
    #[arg(long, value_name = "SOURCE:PATH[:OPTIONS]")]
    pub(crate) volume: Vec<String>,

    /// User in the container.
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,

    /// The most memory that the container may have, for example 256m.
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,

    /// Description of the service.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,

    /// Level of the seal.
    #[arg(long, value_name = "LEVEL", default_value = "standard")]
    pub(crate) level: Level,

    /// OCI runtime [default: Podman's, or one that is found to work here under
    /// the seal].
    #[arg(long, value_name = "RUNTIME")]
    pub(crate) runtime: Option<String>,

    /// Write the image with the digest that it has now, so that another image of
    /// this name is not run.
    #[arg(long)]
    pub(crate) digest: bool,

    /// What to write the service as [default: as it was, else a .container file
    /// where Podman has Quadlet].
    #[arg(long, value_name = "FORM")]
    pub(crate) form: Option<Form>,

    /// Have the user's services run without a login (`loginctl enable-linger`):
    /// yours, or with --run-as that user's.
    #[arg(long, conflicts_with = "no_start")]
    pub(crate) linger: bool,

    /// A service of the system's manager, with root's Podman.
    #[arg(long)]
    pub(crate) system: bool,

    /// With --system: start Podman as this user, rootless, and with this user's
    /// images. systemd still opens the sockets, so that ports below 1024 can be
    /// had. The user has to linger.
    #[arg(long, value_name = "USER", requires = "system")]
    pub(crate) run_as: Option<String>,

    /// Only write the files, and ask no manager.
    #[arg(long)]
    pub(crate) no_start: bool,

    /// Write over files of this service that were edited.
    #[arg(long)]
    pub(crate) force: bool,

    /// Print what would be changed, as a diff, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Arguments for the container.
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Form {
    /// A .container file, of which Quadlet makes the service.
    Quadlet,
    /// A .service, as `podman generate systemd --new` writes it.
    Service,
}

impl From<Form> for up::Form {
    fn from(form: Form) -> Self {
        match form {
            Form::Quadlet => Self::Quadlet,
            Form::Service => Self::Service,
        }
    }
}

/// Stop a service that `podseal up` made, and remove its files.
///
/// Removes what podseal wrote and nothing else. A file that was edited stays,
/// is named, and makes the status 1. Where there is no such service, that is an
/// error too.
#[derive(Debug, Args)]
pub(crate) struct Down {
    /// Name of the service.
    #[arg(value_name = "NAME", value_parser = unit_stem)]
    pub(crate) name: String,

    /// A service of the system's manager.
    #[arg(long)]
    pub(crate) system: bool,

    /// Remove its files even if they were edited.
    #[arg(long)]
    pub(crate) force: bool,

    /// Print what would be changed, as a diff, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A name with or without the type of one of its units.
fn unit_stem(text: &str) -> Result<String, &'static str> {
    let types = [".service", ".container", ".socket"];
    let stem = types.iter().find_map(|end| text.strip_suffix(end));
    service_name(stem.unwrap_or(text))
}

fn variable(text: &str) -> Result<String, &'static str> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("a variable is NAME=VALUE"),
    }
}
