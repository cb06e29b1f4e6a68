//! Sealed services of real systemd, in a machine of the lab.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rustix::thread::{
    CpuSet, LinkNameSpaceType, move_into_link_name_space, sched_getaffinity, sched_setaffinity,
};

use super::report::{Row, Section, Target};
use super::site::{self, file};
use super::statistics::{Pairs, milliseconds, pairs};
use super::{BenchError, Counts, attempt, interrupt};
use crate::arguments::Install;
use crate::command::Command;
use crate::lab::Guest;
use crate::requirements;

/// How many times as long as the recipe by hand an activation may take.
const ACTIVATION: f64 = 1.0;

/// Milliseconds that making sure of the pause process may take.
const GUARDIAN: f64 = 3.0;

/// How often it is done in one measurement.
const REPEATED: u32 = 50;

/// How many times as long as with a plain process traffic may take: 0.97 of its
/// speed.
const TRAFFIC: f64 = 1.031;

/// Seconds that `podseal up` may take beyond what systemd needs to read its units.
const UP: f64 = 0.3;

/// Has both servers on the first processor: which one they run on, and whether a
/// message wakes another one that sleeps, makes more of a difference than anything
/// else.
const PIN: &str = "for pid in $(pgrep --full '[p]odseal echo'); do \
                   taskset --all-tasks --cpu-list --pid 0 $pid || exit; done";

/// Milliseconds that a verification may take beyond the containers it starts.
const VERIFY: f64 = 5000.0;

/// The containers that a verification starts: one in the place of the OCI runtime,
/// one for the container's own, and one in the host's network with and without
/// the seal.
const STARTS: &str = "for n in 1 2 3 4; do podman --runtime runc run --rm --network none \
    --pull never localhost/bench --version >/dev/null || exit; done";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Round trips of one byte in one measurement.
const ROUND_TRIPS: usize = 200;

/// Bytes there and back in one measurement.
const VOLUME: usize = 16 << 20;

/// How many times as many measurements there are of traffic: a difference of a few
/// percent is seen in many short ones, between which the machine does not change.
const SHORT: usize = 20;

/// How much is written at a time.
const PIECE: usize = 128 << 10;

/// The services: who serves a port, and by which unit file.
const SEALED: u16 = 7201;
const RECIPE: u16 = 7202;
const PLAIN: u16 = 7203;
const STRICT: u16 = 7205;

/// Everything that is measured: the same container by hand as the recipe has it,
/// sealed, and sealed at level strict, which wants its image by digest; and the
/// server without a container.
const SET_UP: &str = r#"
set -e
tar -C /usr/bin -c podseal | podman import --quiet --change 'ENTRYPOINT ["/podseal"]' \
    --change 'CMD ["echo"]' - localhost/bench
mkdir -p ~/.config/systemd/user
cd ~/.config/systemd/user
socket() { printf '[Socket]\nListenStream=127.0.0.1:%s\n' "$2" > "$1.socket"; }
digest=$(podman image inspect --format '{{.Digest}}' localhost/bench)
for name in sealed recipe strict; do
    image=localhost/bench
    if [ $name = strict ]; then image=$image@$digest; fi
    podman --runtime runc create --rm --name $name --network none --pull never $image
    podman generate systemd --name --new $name > $name.service
    podman rm $name
done
cat > pause.service <<'EOF'
[Service]
Type=oneshot
ExecStart=/usr/bin/podman unshare /bin/true
RemainAfterExit=yes
EOF
sed -i -e '/^\[Unit\]/a Requires=pause.service\nAfter=pause.service' \
    -e '/^\[Service\]/a RestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes' \
    recipe.service
printf '[Service]\nExecStart=/usr/bin/podseal echo\n' > plain.service
oneshot() {
    printf '[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/true\n'
}
oneshot > unguarded.service
{ oneshot; echo 'ExecStartPre=+/usr/bin/podseal pause ensure --quiet'; } > guarded.service
{ oneshot; echo 'ExecStartPre=+/bin/true'; } > busied.service
socket sealed 7201
socket recipe 7202
socket plain 7203
socket strict 7205
systemctl --user daemon-reload
podseal seal sealed
podseal seal --level=strict strict
systemctl --user start sealed.socket recipe.socket plain.socket strict.socket
"#;

pub(crate) fn section() -> Section {
    Section {
        title: "Sealed by systemd",
        method: "In a lab machine (systemd 257, Podman 5.4, runc), as an ordinary user. Activation is\n\
                 from connect(2) to the first byte echoed, by a unit of `podman generate systemd --new`\n\
                 that `podseal seal` sealed, and by the same unit edited as the recipe has it. At level\n\
                 strict the container's seccomp profile has the native architecture only, which is less\n\
                 for the OCI runtime to compile. The pause process is seen to by the launcher where it\n\
                 can be, and else by a command before it, most of which is what systemd needs for any\n\
                 command. Traffic is over TCP on the loopback interface, echoed by\n\
                 the sealed container and by the same server as a plain process, both started by their\n\
                 sockets and on one processor; the client is on the same one for round trips, on another\n\
                 one for the volume. `podseal up` ends when the new socket listens.",
        ..Section::default()
    }
}

pub(crate) fn measure(install: &Install, counts: &Counts, section: &mut Section) {
    let guest = attempt(section, "services of systemd", |_| {
        requirements::for_lab(install)?;
        let guest = Guest::boot(site::built()?)?;
        guest.command(["bash", "-c", SET_UP])?.results()?;
        Ok(guest)
    });
    let Some(guest) = guest else {
        return;
    };
    attempt(section, "activation by systemd", |section| {
        activation(&guest, counts.systemd, section)
    });
    attempt(section, "the pause guardian", |section| {
        guardian(&guest, counts.systemd, section)
    });
    attempt(section, "podseal up", |section| {
        up(&guest, counts.systemd, section)
    });
    attempt(section, "verification", |section| {
        verification(&guest, counts.systemd.div_ceil(4), section)
    });
    attempt(section, "traffic", |section| {
        traffic(&guest, counts.systemd, section)
    });
}

fn activation(guest: &Guest, count: usize, section: &mut Section) -> Result<(), BenchError> {
    let activate = |name: &str, port| {
        interrupt::check()?;
        let mut stream = connect(guest, port)?;
        let took = echo(&mut stream.stream, stream.begun, port)?;
        // Starts are limited, and counted until then.
        let stop = format!(
            "systemctl --user stop {name}.service && systemctl --user reset-failed {name}.service"
        );
        guest.command(["sh", "-c", &stop])?.results()?;
        Ok::<_, BenchError>(took)
    };
    for (measured, name, port, target) in [
        (
            "first connection to first byte",
            "sealed",
            SEALED,
            Some(ACTIVATION),
        ),
        (
            "first connection to first byte, at level strict",
            "strict",
            STRICT,
            None,
        ),
    ] {
        let pairs = pairs(
            count,
            || activate(name, port),
            || activate("recipe", RECIPE),
        )?;
        section.rows.push(ratio_row(
            &pairs,
            measured,
            "the recipe by hand",
            ("ms", 0),
            target,
        )?);
    }
    Ok(())
}

fn guardian(guest: &Guest, count: usize, section: &mut Section) -> Result<(), BenchError> {
    for (measured, podseal, other, alternative, target) in [
        (
            "the launcher with `--make-pause`, with nothing to do",
            "podseal enter --join=always --make-pause -- /bin/true",
            "podseal enter --join=always -- /bin/true",
            "without",
            Some(GUARDIAN),
        ),
        (
            "`podseal pause ensure`, with nothing to do",
            "/usr/bin/podseal pause ensure --quiet",
            "/bin/true",
            "`/bin/true`",
            Some(GUARDIAN),
        ),
        (
            "a unit's start with it as `ExecStartPre=+`",
            "systemctl --user start guarded",
            "systemctl --user start unguarded",
            "without",
            None,
        ),
        (
            "a unit's start with it as `ExecStartPre=+`",
            "systemctl --user start guarded",
            "systemctl --user start busied",
            "with `ExecStartPre=+/bin/true`",
            None,
        ),
    ] {
        // Many at a time, since the way into the machine takes longer than one.
        let repeated = |command: &str| {
            let script = format!("for n in $(seq {REPEATED}); do {command} || exit; done");
            guest.command(["sh", "-c", &script])
        };
        let (podseal, other) = (repeated(podseal)?, repeated(other)?);
        let time = |command: &Command| {
            interrupt::check()?;
            Ok::<_, BenchError>(milliseconds(command.time()?) / f64::from(REPEATED))
        };
        let pairs = pairs(count, || time(&podseal), || time(&other))?;
        let adds = pairs.difference().ok_or(BenchError::Nothing("guardian"))?;
        section.rows.push(row(
            &pairs,
            measured,
            alternative,
            ("ms", 2),
            format!("adds {} ms", adds.display(2)),
            target.map_or(Target::None, |most| {
                Target::at_most(adds.median, most, " ms")
            }),
        )?);
    }
    Ok(())
}

fn up(guest: &Guest, count: usize, section: &mut Section) -> Result<(), BenchError> {
    let up = "podseal up bench --image localhost/bench --listen 127.0.0.1:7204";
    let (up, down, reload) = (
        guest.command(["sh", "-c", up])?,
        guest.command(["podseal", "down", "bench"])?,
        guest.command(["systemctl", "--user", "daemon-reload"])?,
    );
    let time = |command: &Command| {
        interrupt::check()?;
        Ok::<_, BenchError>(milliseconds(command.time()?))
    };
    let pairs = pairs(
        count,
        || {
            let took = time(&up)?;
            down.results()?;
            Ok(took)
        },
        || time(&reload),
    )?;
    let adds = pairs.difference().ok_or(BenchError::Nothing("up"))?;
    section.rows.push(row(
        &pairs,
        "`podseal up`",
        "`systemctl --user daemon-reload`",
        ("ms", 0),
        format!("adds {} ms", adds.display(0)),
        Target::at_most(adds.median / 1000.0, UP, " s"),
    )?);
    Ok(())
}

fn verification(guest: &Guest, count: usize, section: &mut Section) -> Result<(), BenchError> {
    let verify = guest.command(["sh", "-c", "podseal verify sealed >/dev/null"])?;
    let starts = guest.command(["sh", "-c", STARTS])?;
    let time = |command: &Command| {
        interrupt::check()?;
        Ok::<_, BenchError>(milliseconds(command.time()?))
    };
    let pairs = pairs(count, || time(&verify), || time(&starts))?;
    let nothing = || BenchError::Nothing("verification");
    let (ratio, adds) = (
        pairs.ratio().ok_or_else(nothing)?,
        pairs.difference().ok_or_else(nothing)?,
    );
    section.rows.push(row(
        &pairs,
        "`podseal verify` of the sealed service",
        "`podman run` of as many containers",
        ("ms", 0),
        format!("ratio {}, adds {} ms", ratio.display(2), adds.display(0)),
        Target::at_most(adds.median, VERIFY, " ms"),
    )?);
    Ok(())
}

/// One measurement of a connection.
type Measure = fn(&TcpStream) -> io::Result<f64>;

fn traffic(guest: &Guest, count: usize, section: &mut Section) -> Result<(), BenchError> {
    let open = |port| {
        let mut stream = connect(guest, port)?;
        echo(&mut stream.stream, stream.begun, port)?;
        Ok::<_, BenchError>(stream.stream)
    };
    let (sealed, plain) = (open(SEALED)?, open(PLAIN)?);
    let mut compare = |measured: &str, unit, measure: Measure| {
        let once = |stream, port| {
            interrupt::check()?;
            measure(stream).map_err(|source| failed(port, source))
        };
        let pairs = pairs(
            count * SHORT,
            || once(&sealed, SEALED),
            || once(&plain, PLAIN),
        )?;
        section.rows.push(ratio_row(
            &pairs,
            measured,
            "`podseal echo` as a plain process",
            unit,
            Some(TRAFFIC),
        )?);
        Ok::<_, BenchError>(())
    };
    guest.command(["sh", "-c", PIN])?.results()?;
    compare("time for 16 MiB there and back", ("ms", 1), volume)?;
    compare("round trip of a byte", ("µs", 2), round_trip)
}

/// A row whose result is how many times as much it takes, at most `most`.
fn ratio_row(
    pairs: &Pairs,
    measured: &str,
    alternative: &str,
    unit: (&str, usize),
    most: Option<f64>,
) -> Result<Row, BenchError> {
    let ratio = pairs.ratio().ok_or(BenchError::Nothing("pair"))?;
    row(
        pairs,
        measured,
        alternative,
        unit,
        format!("ratio {}", ratio.display(2)),
        most.map_or(Target::None, |most| Target::at_most(ratio.median, most, "")),
    )
}

fn row(
    pairs: &Pairs,
    measured: &str,
    alternative: &str,
    (unit, decimals): (&str, usize),
    result: String,
    target: Target,
) -> Result<Row, BenchError> {
    let nothing = || BenchError::Nothing("pair");
    let figure = |summary: Option<super::statistics::Summary>| {
        let summary = summary.ok_or_else(nothing)?;
        Ok::<_, BenchError>(format!("{} {unit}", summary.display(decimals)))
    };
    Ok(Row {
        measured: measured.to_owned(),
        podseal: figure(pairs.first())?,
        alternative: alternative.to_owned(),
        other: figure(pairs.second())?,
        result,
        target,
    })
}

/// A connection, and when it was asked for.
struct Connection {
    stream: TcpStream,
    begun: Instant,
}

/// Connects to a port of the machine's loopback interface: a socket belongs to the
/// network that it was made in, whoever uses it.
fn connect(guest: &Guest, port: u16) -> Result<Connection, BenchError> {
    let path = format!("/proc/{}/ns/net", guest.init()?);
    let network = File::open(&path).map_err(|source| file("open", Path::new(&path), source))?;
    let connected = thread::scope(|scope| {
        let connecting = scope.spawn(|| {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            let begun = Instant::now();
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(Connection { stream, begun })
        });
        connecting.join()
    });
    match connected {
        Ok(connected) => connected.map_err(|source| failed(port, source)),
        Err(_) => Err(BenchError::Nothing("connection")),
    }
}

fn failed(port: u16, source: io::Error) -> BenchError {
    let address = format!("127.0.0.1:{port}");
    file("talk to", Path::new(&address), source)
}

/// Milliseconds until the first byte of the answer.
fn echo(stream: &mut TcpStream, begun: Instant, port: u16) -> Result<f64, BenchError> {
    let heard = stream
        .write_all(b"x")
        .and_then(|()| stream.read_exact(&mut [0]));
    let took = milliseconds(begun.elapsed());
    heard.map(|()| took).map_err(|source| failed(port, source))
}

/// Microseconds for a byte there and back, on average, on the servers' processor.
fn round_trip(stream: &TcpStream) -> io::Result<f64> {
    on_processor(0, move || {
        let mut stream = stream;
        let begun = Instant::now();
        for _ in 0..ROUND_TRIPS {
            stream.write_all(b"x")?;
            stream.read_exact(&mut [0])?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let count = ROUND_TRIPS as f64;
        Ok(milliseconds(begun.elapsed()) * 1000.0 / count)
    })
}

/// Milliseconds for [`VOLUME`] there and back, on another processor than the
/// servers', where there is one.
fn volume(stream: &TcpStream) -> io::Result<f64> {
    let mine = sched_getaffinity(None)?;
    let last = (0..CpuSet::MAX_CPU).rfind(|processor| mine.is_set(*processor));
    on_processor(last.unwrap_or(0), || {
        let begun = Instant::now();
        thread::scope(|scope| {
            let writing = scope.spawn(move || {
                let mut stream = stream;
                let piece = vec![b'x'; PIECE];
                (0..VOLUME / PIECE).try_for_each(|_| stream.write_all(&piece))
            });
            let mut stream = stream;
            let mut piece = vec![0; PIECE];
            let read = (0..VOLUME / PIECE).try_for_each(|_| stream.read_exact(&mut piece));
            read.and(joined(writing))
        })?;
        Ok(milliseconds(begun.elapsed()))
    })
}

/// Measures on a thread that has, with all that it starts, one processor only.
fn on_processor(
    processor: usize,
    measure: impl FnOnce() -> io::Result<f64> + Send,
) -> io::Result<f64> {
    thread::scope(|scope| {
        joined(scope.spawn(move || {
            let mut only = CpuSet::new();
            only.set(processor);
            sched_setaffinity(None, &only)?;
            measure()
        }))
    })
}

fn joined<T>(thread: ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    let result = thread.join();
    result.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}
