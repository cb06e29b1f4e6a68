//! Services for which podseal must not name a cause.

use super::cases::{Fault, fault};

/// What is not wrong, or of a cause that podseal cannot know.
pub(super) const SOUND: &[Fault] = &[
    fault(
        "serves",
        "healthy",
        r#"sealed <<X
$pre
ExecStart=$run localhost/podseal-lab echo
X
listen 7201; [ "$(bash -c 'exec 3<>/dev/tcp/127.0.0.1/7201; echo hello >&3; head -n 1 <&3')" = hello ]"#,
    ),
    fault(
        "waits",
        "healthy",
        r"sealed <<X
$pre
ExecStart=$run localhost/podseal-lab echo
X
listen 7202",
    ),
    fault(
        "chatty",
        "healthy",
        r#"sealed <<X
$pre
ExecStart=$run $host sh -c 'echo "Error: localhost/x: image not known"; echo "recvfrom(PF_NETLINK)"; echo "listen: Address family not supported by protocol"; echo ready; sleep 1000'
X
systemctl --user daemon-reload; systemctl --user start $name.service
until journalctl --user -u $name.service | grep -q ready; do sleep 0.1; done"#,
    ),
    fault(
        "restarted",
        "healthy",
        r"printf '[Service]\nExecStart=/bin/sleep 1000\n' > $name.service
listen 7208; systemctl --user stop $name.socket
for i in 1 2 3 4; do systemctl --user restart $name.service; done",
    ),
    // A server that ends when it has served.
    fault(
        "ends-well",
        "healthy",
        r#"cat > $name.service <<'X'
[Service]
ExecStart=/usr/bin/perl -e 'open(L, "+<&=3"); accept(C, L); syswrite(C, "hello\\n")'
X
listen 7209; for i in 1 2 3 4; do [ "$(bash -c 'exec 3<>/dev/tcp/127.0.0.1/7209; cat <&3')" = hello ] || exit 1; wait_for $name.service inactive; done"#,
    ),
    fault(
        "own-message",
        "unknown",
        r#"sealed <<X
$pre
ExecStart=$run $host sh -c 'echo "FATAL: config file missing" >&2; exit 1'
X
poke 7203"#,
    ),
    fault(
        "quotes",
        "unknown",
        r#"sealed <<X
$pre
ExecStart=$run $host sh -c 'echo "Error: localhost/x: image not known"; echo "Error: recvfrom(PF_NETLINK)"; echo "newuidmap: write to uid_map failed"; echo "dial tcp 1.2.3.4:443: socket: address family not supported by protocol"; echo "no space left on device, out of memory, oom-kill"; echo "x: Failed to create listening socket (127.0.0.1:80): Address already in use"; echo "error: cannot join Podman'\\''s namespaces"; echo "license expired"; exit 1'
X
poke 7204"#,
    ),
    fault(
        "quotes-log",
        "unknown",
        r#"sealed <<X
$pre
ExecStart=$run $host sh -c 'echo "time=\\"x\\" level=error msg=\\"running newuidmap: write to uid_map failed\\"" >&2; echo "time=\\"x\\" level=error msg=\\"cannot re-exec process\\"" >&2; echo "config broken" >&2; exit 2'
X
poke 7205"#,
    ),
    fault(
        "quotes-native",
        "unknown",
        r#"sealed <<X
ExecStart=/bin/sh -c 'echo "Error: localhost/x: image not known"; echo "Socket service x.service already active, refusing."; echo "listen: Address family not supported by protocol"; echo "bye"; exit 125'
X
poke 7206"#,
    ),
    fault(
        "signal",
        "unknown",
        r"plain <<X
ExecStart=/bin/sh -c 'kill -SEGV \$\$\$\$'
X
poke 7207",
    ),
];
