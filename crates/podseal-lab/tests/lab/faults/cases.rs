//! The faults, each a script that makes units called `$name` and has them fail.

/// Something that is wrong with a service, or not.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// What root does before.
    pub(super) root: Option<&'static str>,
    pub(super) script: &'static str,
    /// The first answer, or the verdict where there is none.
    pub(super) first: &'static str,
    /// What the journal alone may be taken for.
    pub(super) saved: &'static str,
}

impl Fault {
    /// The same, where the journal alone shows something more general.
    const fn or(mut self, saved: &'static str) -> Self {
        self.saved = saved;
        self
    }
}

pub(super) const fn fault(name: &'static str, first: &'static str, script: &'static str) -> Fault {
    Fault {
        name,
        root: None,
        script,
        first,
        saved: first,
    }
}

/// What the scripts have in common. `poke` is a client that stays until the
/// socket has failed. Podman joins the namespaces of a container that runs where
/// there is no pause process: `alone` removes all.
pub(super) const PRELUDE: &str = r#"
mkdir -p ~/.config/systemd/user; cd ~/.config/systemd/user || exit 1
began=$(date +%s)
run="/usr/bin/podman --runtime=runc run --rm --network=none --pull=never"
host="-v /usr:/usr:ro localhost/host"
pre="ExecStartPre=+/usr/bin/podseal pause ensure --quiet"
state() { systemctl --user show --property=ActiveState --value "$1"; }
wait_for() { until [ "$(state "$1")" = "$2" ]; do sleep 0.05; done; }
plain() { { printf '[Unit]\nStartLimitBurst=2\n[Service]\nTimeoutStopSec=2\n'; cat; } > "$name.service"; }
sealed() { { printf 'RestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoNewPrivileges=yes\n'; cat; } | plain; }
socket() { printf '[Socket]\nListenStream=%s\n' "$1" > "$name.socket"; systemctl --user daemon-reload; }
alone() { until podman rm --all --force --time=0 > /dev/null 2>&1; do :; done; }
said() { journalctl --user --since="@$began" -u "$name.service" | grep -c "$1"; }
listen() { socket "127.0.0.1:$1"; systemctl --user start "$name.socket"; }
poke() { listen "$1"; bash -c "exec 3<>/dev/tcp/127.0.0.1/$1"; wait_for "$name.socket" failed; }
"#;

/// What is wrong.
pub(super) const FAULTS: &[Fault] = &[
    fault(
        "pull",
        "pull-under-seal",
        r"sealed <<X
$pre
ExecStart=/usr/bin/podman run --rm --network=none --pull=always docker.io/library/nothing
X
poke 7101",
    ),
    fault(
        "image",
        "image-missing",
        r"sealed <<X
$pre
ExecStart=$run localhost/not-there
X
poke 7102",
    ),
    fault(
        "uidmap",
        "newuidmap-sealed",
        r"sealed <<X
ExecStartPre=+-/bin/sh -c 'kill \$\$(cat %t/libpod/tmp/pause.pid); rm -f %t/libpod/tmp/pause.pid'
ExecStart=$run localhost/podseal-lab echo
X
alone; poke 7104",
    ),
    fault(
        "pause-stale",
        "newuidmap-sealed",
        r"sealed <<X
ExecStartPre=+-/bin/sh -c 'kill \$\$(cat %t/libpod/tmp/pause.pid); echo \$\$\$\$ > %t/libpod/tmp/pause.pid'
ExecStart=$run localhost/podseal-lab echo
X
alone; poke 7105",
    ),
    fault(
        "pause-foreign",
        "newuidmap-sealed",
        r"sealed <<X
ExecStartPre=+-/bin/sh -c 'echo \$\$PPID > %t/libpod/tmp/pause.pid'
ExecStart=$run localhost/podseal-lab echo
X
alone; poke 7106; rm -f $XDG_RUNTIME_DIR/libpod/tmp/pause.pid",
    ),
    fault(
        "pause-gone",
        "pause-process-gone",
        r"plain <<X
ExecStartPre=+-/bin/sh -c 'kill \$\$(cat %t/libpod/tmp/pause.pid); rm -f %t/libpod/tmp/pause.pid'
ExecStart=/usr/bin/podseal enter --level standard -- $run localhost/podseal-lab echo
X
poke 7108; podman unshare true",
    ),
    fault(
        "landlock",
        "newuidmap-sealed",
        r"podman unshare true; plain <<X
ExecStart=/usr/bin/podseal enter --level standard --join=never -- $run localhost/podseal-lab echo
X
alone; poke 7107",
    ),
    fault(
        "restarts",
        "image-missing",
        r#"sealed <<X
Restart=always
RestartSec=100s
$pre
ExecStart=$run localhost/not-there
X
systemctl --user daemon-reload; systemctl --user start $name.service
until [ "$(systemctl --user show -P SubState $name.service)" = auto-restart ]; do sleep 0.05; done"#,
    ),
    fault(
        "restarts-slowly",
        "image-missing",
        r#"plain <<X
Restart=always
RestartSec=1ms
ExecStart=/bin/sh -c 'test -e %t/fault-flag && exec sleep 1000; touch %t/fault-flag; exec $run localhost/not-there'
X
rm -f $XDG_RUNTIME_DIR/fault-flag; systemctl --user daemon-reload; systemctl --user start $name.service
until [ "$(systemctl --user show -P NRestarts $name.service)" = 1 ]; do sleep 0.05; done; wait_for $name.service active"#,
    ),
    fault(
        "short-name",
        "short-name",
        r"sealed <<X
$pre
ExecStart=/usr/bin/podman run --rm --network=none nothinghere
X
poke 7109",
    ),
    fault(
        "registry-refused",
        "registry-unreachable",
        r#"plain <<X
ExecStart=/usr/bin/podman run --rm localhost:5001/nothing
X
# Podman tries for a while: the waiting connection must not start it once more.
listen 7110; bash -c "exec 3<>/dev/tcp/127.0.0.1/7110"; wait_for $name.service active
systemctl --user stop $name.socket; wait_for $name.service failed"#,
    ),
    fault(
        "registry-unknown",
        "registry-without-image",
        r"plain <<X
ExecStart=/usr/bin/podman run --rm --tls-verify=false localhost:5000/nothing
X
poke 7111",
    ),
    fault(
        "address",
        "address-in-use",
        r"plain <<X
ExecStart=$run localhost/podseal-lab echo
X
socket 127.0.0.1:5000
systemctl --user start $name.socket; true",
    ),
    fault(
        "port",
        "privileged-port",
        r"plain <<X
ExecStart=$run localhost/podseal-lab echo
X
socket 127.0.0.1:81; systemctl --user start $name.socket; true",
    ),
    fault(
        "path",
        "socket-path-forbidden",
        r"plain <<X
ExecStart=$run localhost/podseal-lab echo
X
socket /etc/fault.sock; systemctl --user start $name.socket; true",
    ),
    fault(
        "exits",
        "exits-at-once",
        r"plain <<X
ExecStart=/bin/true
X
poke 7112",
    ),
    fault(
        "exits-often",
        "exits-at-once",
        r"printf '[Unit]\nStartLimitBurst=100\n[Service]\nExecStart=/bin/true\n' > $name.service
poke 7113",
    ),
    fault(
        "exits-container",
        "exits-at-once",
        r"sealed <<X
$pre
ExecStart=$run $host true
X
poke 7114",
    ),
    fault(
        "limit",
        "start-limit-hit",
        r"plain <<X
ExecStart=/bin/sleep 1000
X
systemctl --user daemon-reload; for i in 1 2 3; do systemctl --user restart $name.service; done; true",
    ),
    fault(
        "active",
        "service-already-active",
        r"plain <<X
ExecStart=/bin/sleep 1000
X
socket 127.0.0.1:7115; systemctl --user start $name.service; systemctl --user start $name.socket; true",
    ),
    fault(
        "not-loaded",
        "service-not-found",
        r"socket 127.0.0.1:7116; systemctl --user start $name.socket; true",
    ),
    fault(
        "notify-timeout",
        "notify-timeout",
        r"plain <<X
Type=notify
TimeoutStartSec=1
ExecStart=/bin/sleep 1000
X
systemctl --user daemon-reload; systemctl --user start $name.service; true",
    )
    .or("start-timeout"),
    fault(
        "start-timeout",
        "start-timeout",
        r"plain <<X
TimeoutStartSec=1
ExecStartPre=/bin/sleep 1000
ExecStart=/bin/sleep 1000
X
systemctl --user daemon-reload; systemctl --user start $name.service; true",
    ),
    fault(
        "protocol",
        "notify-protocol",
        r"plain <<X
Type=notify
ExecStart=/bin/sleep 0.1
X
systemctl --user daemon-reload; systemctl --user start $name.service; true",
    ),
    fault(
        "listens",
        "listens-itself",
        r#"sealed <<X
$pre
ExecStart=$run $host perl -MIO::Socket::INET -e 'IO::Socket::INET->new(Listen=>1,LocalAddr=>"0.0.0.0:8080") or die "cannot listen on 0.0.0.0:8080: \$\$!\\\\n"'
X
poke 7117"#,
    ),
    fault(
        "loopback",
        "needs-loopback",
        r#"sealed <<X
$pre
ExecStart=$run $host perl -MIO::Socket::INET -e 'IO::Socket::INET->new("127.0.0.1:5432") or die "cannot connect to 127.0.0.1:5432: \$\$!\\\\n"'
X
poke 7118"#,
    ),
    fault(
        "never",
        "never-accepts",
        r#"sealed <<X
$pre
ExecStart=$run $host sleep 1000
X
listen 7119; bash -c "exec 3<>/dev/tcp/127.0.0.1/7119"; wait_for $name.service active
until podseal explain $name | grep -q accept; do sleep 0.2; done"#,
    ),
    fault(
        "never-unix",
        "never-accepts",
        r"sealed <<X
$pre
ExecStart=$run $host sleep 1000
X
socket %t/$name.sock; systemctl --user start $name.socket
perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new($ARGV[0]) or die' $XDG_RUNTIME_DIR/$name.sock
wait_for $name.service active; until podseal explain $name | grep -q accept; do sleep 0.2; done",
    ),
    // Too slow for systemd's limits, so that its socket starts it for ever.
    fault(
        "tries-again",
        "image-missing",
        r#"printf '[Service]\nExecStart=/bin/sh -c "sleep 3; exec %s localhost/not-there"\n' "$run" > $name.service
listen 7133; bash -c "exec 3<>/dev/tcp/127.0.0.1/7133"
until [ "$(said 'Failed with result')" -ge 3 ] && [ "$(said 'image not known')" -ge 1 ]; do sleep 0.1; done
wait_for $name.service active"#,
    ),
    fault(
        "ends-again",
        "exits-at-once",
        r#"printf '[Service]\nExecStart=/bin/sleep 3\n' > $name.service
listen 7134; bash -c "exec 3<>/dev/tcp/127.0.0.1/7134"
until [ "$(said Started)" -ge 4 ]; do sleep 0.1; done"#,
    )
    .or("healthy"),
    fault(
        "preserve",
        "preserve-fds",
        r"sealed <<X
$pre
ExecStart=$run --preserve-fds=2 localhost/podseal-lab echo
X
poke 7120",
    ),
    fault(
        "ids",
        "subordinate-ids-exhausted",
        r"sealed <<X
$pre
ExecStart=$run --userns=auto:size=70000 localhost/podseal-lab echo
X
poke 7121",
    ),
    fault(
        "masked",
        "unit-masked",
        r"ln -sf /dev/null $name.service
socket 127.0.0.1:7122; systemctl --user start $name.socket; true",
    )
    .or("service-not-found"),
    fault(
        "podseal-gone",
        "podseal-gone",
        r"plain <<X
ExecStartPre=+/opt/gone/podseal pause ensure
ExecStart=/opt/gone/podseal enter -- $run localhost/podseal-lab echo
X
poke 7123",
    ),
    fault(
        "program-gone",
        "program-missing",
        r"plain <<X
ExecStart=/opt/gone/server
X
poke 7124",
    ),
    // An executable of 145 bytes that makes the i386 call getpid.
    fault(
        "sigsys",
        "foreign-system-call",
        r"printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0\1\0\0\0\170\0\100\0\0\0\0\0\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\100\0\70\0\1\0\0\0\0\0\0\0\1\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\100\0\0\0\0\0\0\0\100\0\0\0\0\0\221\0\0\0\0\0\0\0\221\0\0\0\0\0\0\0\0\20\0\0\0\0\0\0\270\24\0\0\0\315\200\270\74\0\0\0\61\377\17\5' > ~/i386; chmod +x ~/i386
plain <<X
SystemCallArchitectures=native
ExecStart=%h/i386
X
poke 7125",
    ),
    fault(
        "sigsys-container",
        "foreign-system-call",
        r"sealed <<X
SystemCallArchitectures=native
$pre
ExecStart=$run -v %h/i386:/i386:ro $host /i386
X
poke 7126",
    ),
    fault(
        "quadlet",
        "quadlet-refused",
        r"mkdir -p ~/.config/containers/systemd
printf '[Container]\nImagee=localhost/podseal-lab\n' > ~/.config/containers/systemd/$name.container
systemctl --user daemon-reload; systemctl --user start $name.service; true",
    ),
    Fault {
        name: "full",
        root: Some(
            "mkdir -p /full; mountpoint -q /full || mount -t tmpfs -o size=300k,mode=1777 tmpfs /full",
        ),
        script: r"dd if=/dev/zero of=/full/fill bs=1k count=200 status=none
sealed <<X
$pre
ExecStart=/usr/bin/podman --root=/full/x --runroot=/full/y --storage-driver=vfs run --rm --network=none --pull=never oci-archive:/x
X
poke 7127",
        first: "disk-full",
        saved: "disk-full",
    },
    fault(
        "name",
        "container-name-in-use",
        r"podman run -d --replace --name $name --network=none $host sleep 100 > /dev/null
sealed <<X
$pre
ExecStart=$run --name $name localhost/podseal-lab echo
X
poke 7128; podman rm -f -t0 $name > /dev/null",
    ),
    fault(
        "pids-runc",
        "pids-controller-missing",
        r"sealed <<X
$pre
ExecStart=$run --pids-limit=100 localhost/podseal-lab echo
X
poke 7129",
    ),
    fault(
        "pids-crun",
        "pids-controller-missing",
        r"plain <<X
ExecStart=/usr/bin/podman --runtime=crun run --rm --network=none --pull=never --pids-limit=100 localhost/podseal-lab echo
X
poke 7130",
    ),
    fault(
        "crun",
        "crun-netlink",
        r"sealed <<X
$pre
ExecStart=/usr/bin/podman --runtime=crun run --rm --network=none --pull=never localhost/podseal-lab echo
X
poke 7131",
    ),
    fault(
        "no-socket",
        "no-socket-unit",
        r"sealed <<X
$pre
ExecStart=$run localhost/podseal-lab echo
X
systemctl --user daemon-reload; systemctl --user start $name.service; wait_for $name.service failed",
    )
    .or("started-without-socket"),
    fault(
        "socket-down",
        "started-without-socket",
        r"sealed <<X
$pre
ExecStart=$run localhost/podseal-lab echo
X
socket 127.0.0.1:7149; systemctl --user start $name.service; wait_for $name.service failed",
    ),
    fault(
        "online",
        "network-online-wait",
        r"printf '[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\n' > fault-network-online.service
printf '[Unit]\nAfter=fault-network-online.service\nWants=fault-network-online.service\n[Service]\nExecStart=/bin/sleep 1000\n' > $name.service
systemctl --user daemon-reload; systemctl --user start --no-block $name.service
wait_for fault-network-online.service activating",
    ),
    fault(
        "reload",
        "reload-needed",
        r"plain <<X
ExecStart=/bin/sleep 1000
X
systemctl --user daemon-reload; systemctl --user start $name.service
touch -d '1 minute' $name.service; printf '\n' >> $name.service",
    ),
    fault(
        "stale",
        "seal-stale",
        r#"printf '[Service]\nExecStart=%s localhost/podseal-lab echo\n' "$run" > $name.service
socket 127.0.0.1:7132; podseal seal $name >&2 || exit 1
printf '[Service]\nExecStart=%s localhost/podseal-lab echo --debug\n' "$run" > $name.service
systemctl --user daemon-reload"#,
    ),
    fault(
        "refused",
        "unit-refused",
        r"printf '[Service]\nType=oneshot\nRestart=always\nExecStart=relative/path\n' > $name.service
systemctl --user daemon-reload; systemctl --user start $name.service; true",
    ),
];
