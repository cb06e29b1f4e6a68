//! Servers that people run, each from its Debian package, sealed: they serve as
//! docs/compatibility.md says.

use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use podseal_core::plan::header::hash;

use crate::account::{lacking_here, normal_user};
use crate::container::Lab;
use crate::fixture::{Running, output};
use crate::talk::{free_port, unique};
use servers::{BOOTSTRAP, FILES, NGINX, PACKAGES, SERVERS, Server};

mod servers;

const IMAGE: &str = "localhost/podseal-compat";
/// How long a server may take to start and answer.
const PATIENCE: Duration = Duration::from_secs(40);
const LEVELS: [&str; 2] = ["standard", "strict"];

/// An archive with the packages' files. It takes the network once, and is kept.
fn archive() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let directory = cache.join("podseal/compat");
    let packages = PACKAGES.join(",");
    let archive = directory.join(format!("bookworm-{:016x}.tar", hash(&packages)));
    if archive.exists() {
        return Some(archive);
    }
    fs::create_dir_all(&directory).unwrap();
    let partial = directory.join(format!("{}.tar", unique("partial")));
    let made = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=extract"])
        .arg(format!("--include={packages}"))
        .args(
            ["doc", "man", "locale"]
                .map(|what| format!("--dpkgopt=path-exclude=/usr/share/{what}/*")),
        )
        .arg("bookworm")
        .arg(&partial)
        .arg("http://deb.debian.org/debian")
        .output();
    match made {
        Ok(made) => assert!(made.status.success(), "{made:?}"),
        Err(error) => {
            lacking_here("real servers", &format!("mmdebstrap: {error}"));
            return None;
        }
    }
    // Another test process may have been faster, with the same.
    fs::rename(&partial, &archive).unwrap();
    Some(archive)
}

/// A place with the image.
struct Servers {
    lab: Lab,
    image: String,
}

impl Servers {
    fn new() -> Option<Self> {
        if Command::new("podman").arg("--version").output().is_err() {
            lacking_here("real servers", "there is no podman");
            return None;
        }
        let archive = archive()?;
        // A copy of the image for each container would take too long.
        let lab = Lab::new(normal_user(), "overlay");
        // The user may not enter the directory that it is in.
        let archive = fs::File::open(archive).unwrap();
        let import = lab
            .place
            .program("podman")
            .args(["import", "--quiet", "-", IMAGE])
            .stdin(archive)
            .output();
        let import = import.unwrap();
        assert!(import.status.success(), "{import:?}");
        let digest = lab.podman(&["image", "inspect", "--format={{.Digest}}", IMAGE]);
        let image = format!("{IMAGE}@{digest}");
        Some(Self { lab, image })
    }

    /// A directory that the user of the place has made.
    fn directory(&self, name: &str) -> PathBuf {
        let path = self.lab.place.path(name);
        assert!(
            output(self.lab.place.program("mkdir").arg(&path))
                .status
                .success()
        );
        path
    }

    /// Starts a server, and says what a client hears that asks for `path`, as
    /// far as `expected` in it.
    fn ask(&self, server: &Server, options: &[&str], path: &str, expected: &str) -> String {
        let port = free_port();
        let name = unique("c");
        let files = self.directory(&name);
        for (file, text) in FILES {
            let text = text.replace("PORT", &port.to_string());
            fs::write(files.join(file), text).unwrap();
        }
        let upstream = UnixListener::bind(files.join("up")).unwrap();
        fs::set_permissions(files.join("up"), Permissions::from_mode(0o777)).unwrap();
        // It ends with the test process.
        thread::spawn(move || {
            for client in upstream.incoming() {
                // The client may have gone.
                let _ = client.and_then(answer);
            }
        });
        let data = if server.name == "MariaDB" {
            self.database(&format!("{name}-data"))
        } else {
            String::new()
        };
        let mut command = self.lab.place.command(&["run", "--name", &name]);
        command
            .args([
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--image",
                &self.image,
            ])
            .args(options)
            .args([
                "--",
                "--stop-timeout=1",
                &format!("--volume={}:/c:ro", files.display()),
            ])
            .args(
                server
                    .options
                    .iter()
                    .map(|option| option.replace("DATA", &data)),
            )
            .arg("--")
            .args(server.command);
        let run = Running::start(&mut command);
        run.wait_for("listening on ");
        let heard = hear(port, path, expected);
        let ended = run.stop();
        ended.expect(0, &["stopped"]);
        fs::remove_file(files.join("up")).unwrap();
        assert!(!heard.is_empty(), "{}: {ended:?}", server.name);
        heard
    }

    /// A directory with MariaDB's first tables.
    fn database(&self, name: &str) -> String {
        let path = self.directory(name).to_str().unwrap().to_owned();
        let run = Running::start(
            self.lab
                .place
                .command(&[
                    "run",
                    "--start=now",
                    "--restart=no",
                    "--level=families",
                    "--name",
                    name,
                ])
                .args([
                    "--listen",
                    &format!("{path}.socket"),
                    "--image",
                    &self.image,
                ])
                .args([
                    "--",
                    &format!("--volume={path}:/data"),
                    "--",
                    "/bin/sh",
                    "-c",
                    BOOTSTRAP,
                ]),
        );
        run.wait_for("down (");
        let ended = run.stop();
        ended.expect(0, &["down (success)"]);
        path
    }
}

/// Answers a request once it is whole: closing before would be a reset.
fn answer(mut client: UnixStream) -> io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    client.write_all(b"HTTP/1.0 200 OK\r\n\r\nfrom upstream")
}

/// What the server at `port` says until it has said `expected`, it ends the
/// connection, or patience ends.
fn hear(port: u16, path: &str, expected: &str) -> String {
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    server.write_all(request.as_bytes()).unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    // What was heard before an error counts.
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        heard.extend_from_slice(&buffer[..length]);
        if String::from_utf8_lossy(&heard).contains(expected) {
            break;
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn real_servers_serve_sealed() {
    let Some(servers) = Servers::new() else {
        return;
    };
    thread::scope(|scope| {
        for level in LEVELS {
            let servers = &servers;
            scope.spawn(move || {
                let option = format!("--level={level}");
                for server in SERVERS {
                    let heard = servers.ask(server, &[&option], "/", server.answer);
                    assert!(
                        heard.contains(server.answer),
                        "{} at {level}: {heard:?}",
                        server.name
                    );
                }
            });
        }
    });
    // A proxy connects, and level strict takes that away.
    for (options, expected) in [
        (&["--level=standard"][..], "from upstream"),
        (&["--level=strict"], "502 Bad Gateway"),
        (&["--level=strict", "--allow-connect"], "from upstream"),
    ] {
        let heard = servers.ask(&NGINX, options, "/up", expected);
        assert!(heard.contains(expected), "{options:?}: {heard:?}");
    }
    servers.lab.expect_nothing_left();
}

#[test]
fn the_documentation_has_the_same_servers() {
    let text = include_str!("../../../../docs/compatibility.md");
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| server "))
        .collect();
    let expected = SERVERS
        .iter()
        .map(|server| format!("| {} | {} | serves | serves |", server.name, server.takes));
    assert_eq!(rows, expected.collect::<Vec<_>>());
}
