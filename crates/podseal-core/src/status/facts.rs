//! What was seen of a unit and its processes.

use serde::Serialize;

use crate::explain::short::Short;
use crate::policy::level::Level;

/// What a unit is doing, in systemd's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct State {
    /// Its name.
    pub unit: String,
    /// `active`, `inactive`, `failed` and so on.
    pub active_state: String,
    /// The state of its kind, such as `running` or `listening`.
    pub sub_state: String,
    /// How it ended last, or what has gone wrong so far.
    pub result: String,
    /// What is to become of it: `start`, `stop` or `restart`.
    pub job: Option<String>,
    /// A service's main process.
    pub main_pid: Option<i32>,
    /// A service's command that runs beside it, such as one of `ExecStop=`.
    #[serde(skip)]
    pub control_pid: Option<i32>,
    /// When it was last activated, as systemd writes it.
    pub activated: Option<String>,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// What it is doing.
    pub state: State,
    /// What its files, or those who started it, say of its seal.
    pub promise: Promise,
    /// Why its files could not be read.
    pub unread: Option<String>,
    /// Its processes. None where they could not be looked at, and why.
    pub processes: Result<Vec<Process>, String>,
    /// Its sockets.
    pub sockets: Vec<Socket>,
    /// Its container.
    pub container: Option<Container>,
    /// What the manager goes by. None of a `podseal run`, which says itself what
    /// it started, and where no manager has the service.
    pub loaded: Option<Loaded>,
    /// Why it failed, where it did.
    pub why: Option<Short>,
    /// What its processes are compared with, where copies of it were run.
    pub copies: Option<Copies>,
}

/// What the processes of copies of a service were under (`podseal verify`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Copies {
    /// Where Podman runs; null where there was none.
    pub host: Option<Restrictions>,
    /// In the container.
    pub container: Option<Restrictions>,
}

/// What a process is under, as far as it can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Restrictions {
    /// Whether it can gain privileges no more.
    pub no_new_privs: bool,
    /// Its seccomp mode, see proc_pid_status(5): 2 is with filters.
    pub seccomp: u32,
    /// How many filters; before Linux 5.9 it is not told.
    pub filters: Option<u32>,
    /// Whose user namespace it is in.
    pub user_namespace: Relation,
    /// Whose network namespace it is in.
    pub network_namespace: Relation,
}

/// What is said of a seal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// The mechanisms that are set, by their stable names.
    pub mechanisms: Vec<&'static str>,
    /// The keys of `[Service]` that they come from.
    pub directives: Vec<&'static str>,
    /// How many system-call filters they are at least.
    pub filters: u32,
    /// What was given up on purpose of a level that was asked for.
    pub given_up: Vec<&'static str>,
    /// The drop-in that `podseal seal` wrote, or what is in its place.
    pub drop_in: Option<DropIn>,
    /// When the newest of the files that say so was changed, in milliseconds
    /// since 1970, and which that is.
    pub changed: Option<(i64, String)>,
}

/// `50-podseal.conf` of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DropIn {
    /// Its path.
    pub path: String,
    /// The level that it was made for.
    pub level: Option<Level>,
    /// Whether it is what `podseal seal` would write.
    pub state: DropInState,
}

/// How a drop-in is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DropInState {
    /// As it was written, for the commands that the service has.
    Current,
    /// The service's commands have changed since.
    Stale,
    /// It was edited.
    Edited,
    /// podseal did not write it.
    Foreign,
}

/// What the manager goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Loaded {
    /// Whether files have changed since it read them.
    pub needs_reload: bool,
    /// The drop-ins that it has read.
    pub drop_ins: Vec<String>,
    /// `RestrictAddressFamilies=`, as it shows it.
    pub restrict_address_families: String,
    /// `NoNewPrivileges=`
    pub no_new_privileges: bool,
    /// `SystemCallArchitectures=`
    pub system_call_architectures: String,
    /// Whether it has a `SystemCallFilter=`.
    pub system_call_filter: bool,
}

/// A socket unit of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Socket {
    /// What it is doing.
    #[serde(flatten)]
    pub state: State,
    /// Its addresses, as systemd.socket(5) writes them.
    pub listen: Vec<String>,
    /// For each of them, how many connections wait to be accepted. None where
    /// it cannot be told, or nothing listens.
    pub waiting: Vec<Option<u32>>,
    /// How many connections it has accepted itself (`Accept=yes`).
    pub accepted: Option<u64>,
    /// How many of these are open.
    pub connections: Option<u64>,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Container {
    /// Its id.
    pub id: String,
    /// The user whose Podman has it, where that is not who asks.
    #[serde(skip)]
    pub user: Option<String>,
    /// Its name. This and what follows is Podman's answer, and none where it
    /// gave none.
    pub name: Option<String>,
    /// The image, as it was asked for.
    pub image: Option<String>,
    /// The image's id.
    pub image_id: Option<String>,
    /// The digest of the image's manifest.
    pub digest: Option<String>,
    /// Whether Podman runs health checks in it.
    pub is_health_checked: Option<bool>,
}

/// A living process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Process {
    /// Its process id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its name; it can give itself any.
    pub comm: String,
    /// What it is there for, by its place among the others.
    pub role: Role,
    /// Whether it descends from the service's other processes, and did not
    /// join the container from outside.
    pub is_descendant: bool,
    /// When it was started, in milliseconds since 1970.
    #[serde(rename = "started_ms")]
    pub started: i64,
    /// What it is under.
    #[serde(flatten)]
    pub restrictions: Restrictions,
    /// Whether it has capabilities, or can get some: its bounding set is not
    /// empty.
    pub has_capabilities: bool,
    /// Its sockets of other families than AF_UNIX and AF_NETLINK. None where
    /// its descriptors could not be looked at.
    pub sockets: Option<Vec<HeldSocket>>,
}

/// What a process is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The service's main process, where it is none of the following.
    Main,
    /// A command that the manager runs beside it, or what that started.
    Control,
    /// Podman's monitor of the container.
    Conmon,
    /// It runs in the container.
    Container,
    /// Podman's pause process, which belongs to all containers of a user.
    Pause,
    /// Anything else, such as Podman and the OCI runtime.
    Other,
}

/// Whose namespace a process is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The one that podseal is in.
    Host,
    /// That of Podman's pause process.
    Pause,
    /// Another one.
    Own,
    /// It could not be looked at.
    Unknown,
}

/// A socket that a process has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeldSocket {
    /// The descriptor.
    pub fd: i32,
    /// The kernel's name of the protocol, such as `TCPv6`.
    pub protocol: String,
    /// Its own address.
    pub local: Option<std::net::SocketAddr>,
    /// The other end's.
    pub remote: Option<std::net::SocketAddr>,
    /// Whether it takes connections.
    pub listens: bool,
    /// Whether it belongs to the network that podseal is in. None where that
    /// cannot be told: it is bound to no address there.
    pub in_own_network: Option<bool>,
}
