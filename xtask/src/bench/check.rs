//! `podseal check` of many units.

use std::fs;
use std::path::{Path, PathBuf};

use super::report::{Row, Section, Target};
use super::site::{Site, file};
use super::statistics::{Summary, milliseconds, pairs};
use super::{BenchError, attempt, interrupt};
use crate::command::Command;

/// The part of systemd's own time for the same files that podseal may take.
const LIMIT: f64 = 0.05;
/// How many units are compared.
const UNITS: usize = 1000;
/// How much longer a unit among the most may take than one among the fewest.
const GROWTH: f64 = 1.5;

/// Prints the most memory, in KB, that the command in its arguments had.
const PEAK: &str = "import resource, subprocess, sys\n\
                    subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
                    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";

pub(crate) fn section() -> Section {
    Section {
        title: "Check",
        method: "`podseal check DIRECTORY` of sealed services and their sockets, half and half.\n\
                 `systemd-analyze verify` is given all of these files and loads them with what they\n\
                 depend on; `systemd-analyze security --offline=true` is given the services, half of\n\
                 the files. podseal uses all processors, systemd-analyze one.",
        ..Section::default()
    }
}

pub(crate) fn measure(site: &Site, count: usize, section: &mut Section) {
    attempt(section, "podseal check", |section| {
        let units = Units::make(site, UNITS)?;
        let verify = site
            .command("/usr/bin/env", ["systemd-analyze", "--user", "verify"])
            .with(units.files(&["service", "socket"]));
        let security = site
            .command(
                "/usr/bin/env",
                ["systemd-analyze", "security", "--offline=true"],
            )
            .with(units.files(&["service"]));
        for (name, limit, other) in [
            ("verify", Some(LIMIT), verify),
            ("security --offline=true", None, security),
        ] {
            let pairs = pairs(count, || time(&units.check(site)), || time(&other))?;
            let nothing = || BenchError::Nothing("check");
            let ratio = pairs.ratio().ok_or_else(nothing)?;
            section.rows.push(Row {
                measured: format!("`podseal check`, {UNITS} units"),
                podseal: format!("{} ms", pairs.first().ok_or_else(nothing)?.display(0)),
                alternative: format!("`systemd-analyze {name}`"),
                other: format!("{} ms", pairs.second().ok_or_else(nothing)?.display(0)),
                result: format!("ratio {}", ratio.display(3)),
                target: limit.map_or(Target::None, |limit| {
                    Target::at_most(ratio.median, limit, "")
                }),
            });
        }
        Ok(())
    });
    attempt(section, "podseal check of more and more units", |section| {
        let mut first = None;
        for size in [UNITS / 10, UNITS, UNITS * 10] {
            let units = Units::make(site, size)?;
            let mut times = Vec::new();
            for _ in 0..count {
                times.push(time(&units.check(site))?);
            }
            let time = Summary::of(times).ok_or(BenchError::Nothing("check"))?;
            let each = time.median / unit_count(size);
            let peak = site
                .command("/usr/bin/env", ["python3", "-c", PEAK])
                .with([&site.executable()])
                .with(["check"])
                .with([&units.directory])
                .results()?;
            let fewest = *first.get_or_insert(each);
            section.rows.push(Row {
                measured: format!("`podseal check`, {size} units"),
                podseal: format!("{} ms", time.display(0)),
                alternative: String::new(),
                other: String::new(),
                result: format!(
                    "{:.0} µs each, at most {:.0} MB resident",
                    each * 1000.0,
                    megabytes(&peak)?
                ),
                target: Target::at_most(each / fewest, GROWTH, " × those of the fewest, each"),
            });
        }
        Ok(())
    });
}

fn unit_count(size: usize) -> f64 {
    u32::try_from(size).map_or(f64::INFINITY, f64::from)
}

fn megabytes(peak: &str) -> Result<f64, BenchError> {
    let kilobytes: f64 = peak.trim().parse().map_err(|_| BenchError::Unexpected {
        command: "python3".into(),
        text: peak.into(),
        expected: "a number".into(),
    })?;
    Ok(kilobytes / 1024.0)
}

fn time(command: &Command) -> Result<f64, BenchError> {
    interrupt::check()?;
    Ok(milliseconds(command.time()?))
}

/// Units in a directory of their own, which goes away with this.
struct Units {
    directory: PathBuf,
    count: usize,
}

impl Units {
    fn make(site: &Site, count: usize) -> Result<Self, BenchError> {
        let directory = site.run_time_directory().join("units");
        fs::create_dir_all(&directory).map_err(|source| file("make", &directory, source))?;
        let units = Self { directory, count };
        for number in 0..count / 2 {
            let port = 1024 + number % 60_000;
            units.write(&format!("app{number}.socket"), &socket(port))?;
            units.write(
                &format!("app{number}.service"),
                &service(number, &site.executable()),
            )?;
        }
        Ok(units)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), BenchError> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|source| file("write", &path, source))
    }

    fn files(&self, types: &[&str]) -> Vec<String> {
        let numbers = 0..self.count / 2;
        let directory = self.directory.display();
        numbers
            .flat_map(|number| {
                let of = |kind: &&str| format!("{directory}/app{number}.{kind}");
                types.iter().map(of).collect::<Vec<_>>()
            })
            .collect()
    }

    fn check(&self, site: &Site) -> Command {
        site.podseal(["check"]).with([&self.directory])
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        // What is left is in a directory that goes away at the end.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn socket(port: usize) -> String {
    format!(
        "[Unit]\nDescription=Application\n\n\
         [Socket]\nListenStream=127.0.0.1:{port}\n\n\
         [Install]\nWantedBy=sockets.target\n"
    )
}

/// What `podman generate systemd --new` makes, with a seal, and nothing that is
/// found.
fn service(number: usize, podseal: &Path) -> String {
    let podseal = podseal.display();
    let digest = "0123456789abcdef".repeat(4);
    format!(
        "[Unit]\nDescription=Application\nRequires=app{number}.socket\nAfter=app{number}.socket\n\n\
         [Service]\nType=notify\nNotifyAccess=all\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\n\
         Restart=on-failure\nRestartSec=5s\nTimeoutStopSec=70\n\
         ExecStartPre=+{podseal} pause ensure --quiet\n\
         ExecStart=/usr/bin/podman run --cidfile=%t/%n.ctr-id --cgroups=no-conmon --rm \
         --sdnotify=conmon -d --replace --name app{number} --network=none --pull=never \
         --volume /srv/app{number}:/data:ro registry.example.org/app{number}@sha256:{digest}\n\
         ExecStop=/usr/bin/podman stop --ignore --cidfile=%t/%n.ctr-id\n\
         ExecStopPost=/usr/bin/podman rm -f --ignore --cidfile=%t/%n.ctr-id\n\
         RestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes\n\
         SystemCallArchitectures=native\n\
         SystemCallFilter=~io_uring_setup:ENOSYS io_uring_enter:ENOSYS io_uring_register:ENOSYS\n\n\
         [Install]\nWantedBy=default.target\n"
    )
}
