//! The units that are compared: the conformance tables, and every setting with
//! values that are easy to get wrong, alone, before a drop-in and reset by one.

/// A unit and its files.
pub(super) struct Case {
    /// What a report calls it.
    pub(super) about: String,
    pub(super) unit: String,
    /// Paths below the manager's directory, and texts.
    pub(super) files: Vec<(String, String)>,
}

/// Settings of services: section, key and values.
const SERVICE: &[(&str, &str, &[&str])] = &[
    (
        "Service",
        "Type",
        &[
            "exec", "forking", "oneshot", "notify", "idle", "dbus", "Simple", "nonsense", "",
        ],
    ),
    (
        "Service",
        "Restart",
        &[
            "no",
            "on-success",
            "on-failure",
            "on-abnormal",
            "on-watchdog",
            "on-abort",
            "always",
            "ALWAYS",
            "",
            "always no",
        ],
    ),
    ("Service", "RestartSec", TIMES),
    ("Service", "TimeoutStartSec", TIMES),
    ("Service", "TimeoutStopSec", TIMES),
    ("Service", "TimeoutSec", TIMES),
    ("Unit", "StartLimitIntervalSec", TIMES),
    ("Unit", "StartLimitInterval", &["7", "3min"]),
    ("Service", "StartLimitInterval", &["7", "3min"]),
    ("Service", "StartLimitBurst", NUMBERS),
    ("Unit", "StartLimitBurst", NUMBERS),
    ("Service", "FileDescriptorStoreMax", NUMBERS),
    ("Service", "RemainAfterExit", BOOLEANS),
    ("Service", "NoNewPrivileges", BOOLEANS),
    (
        "Service",
        "KillMode",
        &["control-group", "mixed", "process", "none", "Mixed", ""],
    ),
    (
        "Service",
        "KillSignal",
        &[
            "SIGINT",
            "INT",
            "2",
            "SIGRTMIN+3",
            "RTMAX-1",
            "SIGRTMIN",
            "0",
            "65",
            "sigint",
            "SIGNONE",
            "",
        ],
    ),
    (
        "Service",
        "NotifyAccess",
        &["none", "main", "exec", "all", "ALL", ""],
    ),
    ("Service", "User", &["lab", "1000", "%u", "no body", ""]),
    (
        "Service",
        "SystemCallArchitectures",
        &[
            "native",
            "x86",
            "x86-64 x86",
            "native nonsense",
            "nonsense",
            "native,x86",
            "",
            "\"native\" x32",
            "NATIVE",
        ],
    ),
    (
        "Service",
        "SystemCallFilter",
        &[
            "@system-service",
            "~@system-service",
            "@aio",
            "~@aio",
            "io_uring_setup",
            "~io_uring_setup io_uring_enter io_uring_register",
            "~io_uring_setup:ENOSYS",
            "~@aio:ENOSYS",
            "read write",
            "~read",
            "@service",
            "~@service",
            "nonsense",
            "~nonsense",
            "~",
            "",
            "@known",
            "~@known",
            "@io-event",
            "@default",
            "~@default io_uring_enter",
            "read,io_uring_setup",
            "\"io_uring_setup\"",
            "~\"io_uring_setup\"",
            "io_uring_setup:EPERM",
            "~io_uring_setup:nonsense",
            "~io_uring_setup:kill",
            "IO_URING_SETUP",
            "~ io_uring_setup",
        ],
    ),
    (
        "Service",
        "RestrictAddressFamilies",
        &[
            "AF_UNIX AF_NETLINK",
            "~AF_INET AF_INET6",
            "none",
            "~",
            "",
            "AF_UNIX AF_NONSENSE AF_INET",
            "af_unix Af_Inet",
            "AF_LOCAL AF_FILE AF_ROUTE",
            "AF_UNIX,AF_INET",
            "AF_UNIX # AF_INET",
            "\"AF_UNIX\" 'AF_INET'",
            "~none",
            "none AF_UNIX",
            "AF_UNIX none",
            "1 2",
            "AF_UNSPEC",
            "~AF_UNIX ~AF_INET",
            "~ AF_INET",
            "AF_UNIX \\\n AF_INET",
            "AF_UNIX \\\n# x\n AF_INET",
            "AF_UNIX \\\n; x",
            "AF_UNIX\t AF_PACKET",
            "\"AF_UNIX AF_INET\"",
            "AF_UNIX\"",
            "%i AF_UNIX",
            "AF_\\x55NIX",
            "AF_VSOCK AF_BLUETOOTH AF_CAN AF_XDP AF_SMC AF_QIPCRTR AF_MCTP",
        ],
    ),
    (
        "Service",
        "Environment",
        &[
            "A=b",
            "\"A=b c\" D=e",
            "A=b A=c",
            "A='b' ",
            "1A=b",
            "A",
            "A=%n",
            "A=\\x41",
            "'A=\"b\"'",
            "A=$B",
            "",
            "A=b \"C",
            "A=%%",
            "A=\"b\"c",
        ],
    ),
    (
        "Service",
        "EnvironmentFile",
        &[
            "/a", "-/a", "a", "-a", "/a/../b", "%h/a", "", "/a b", "\"/a\"", "/a//b/", "--/a",
        ],
    ),
    (
        "Service",
        "Sockets",
        &["a.socket", "a.socket b.socket", "a.service", "nonsense", ""],
    ),
    ("Unit", "Requires", UNITS),
    ("Unit", "Wants", UNITS),
    ("Unit", "BindsTo", UNITS),
    ("Unit", "BindTo", UNITS),
    ("Unit", "Requisite", UNITS),
    ("Unit", "PartOf", UNITS),
    ("Unit", "Conflicts", UNITS),
    ("Unit", "After", UNITS),
    ("Unit", "Before", UNITS),
    ("Unit", "OnFailure", UNITS),
    ("Unit", "Upholds", UNITS),
    ("Unit", "DefaultDependencies", BOOLEANS),
    ("Service", "ExecStartPre", COMMANDS),
    ("Service", "ExecStopPost", COMMANDS),
    ("Service", "ExecReload", COMMANDS),
    // Settings that imply no-new-privileges change nothing that is written.
    ("Service", "LockPersonality", &["yes"]),
    ("Service", "RestrictNamespaces", &["yes"]),
    // Odd spellings of keys and lines.
    ("Service", "restart", &["always"]),
    ("Service", "Restart ", &["always"]),
    ("Service", "X-Own", &["always"]),
    ("service", "Restart", &["always"]),
    ("X-Service", "Restart", &["always"]),
];

const SOCKET: &[(&str, &str, &[&str])] = &[
    ("Socket", "ListenStream", ADDRESSES),
    ("Socket", "ListenDatagram", ADDRESSES),
    ("Socket", "ListenSequentialPacket", ADDRESSES),
    ("Socket", "ListenFIFO", &["/a", "%t/a", "a", "/a/../b", ""]),
    (
        "Socket",
        "ListenNetlink",
        &[
            "route",
            "route 1",
            "kobject-uevent 1",
            "16 2",
            "nonsense",
            "",
        ],
    ),
    ("Socket", "ListenMessageQueue", &["/a", "a", "/a/b", ""]),
    ("Socket", "Accept", BOOLEANS),
    ("Socket", "ReusePort", BOOLEANS),
    ("Socket", "FreeBind", BOOLEANS),
    ("Socket", "NoDelay", BOOLEANS),
    ("Socket", "RemoveOnStop", BOOLEANS),
    ("Socket", "PassCredentials", BOOLEANS),
    (
        "Socket",
        "SocketMode",
        &[
            "0600", "600", "0o600", "7777", "8", "77777", "rw", "", "00660",
        ],
    ),
    ("Socket", "Backlog", NUMBERS),
    ("Socket", "MaxConnections", NUMBERS),
    (
        "Socket",
        "BindIPv6Only",
        &["both", "default", "ipv6-only", "Both", "yes", ""],
    ),
    (
        "Socket",
        "BindToDevice",
        &["lo", "*", "a/b", "a very long name of it", "1", ""],
    ),
    (
        "Socket",
        "SocketProtocol",
        &["udplite", "sctp", "mptcp", "tcp", "SCTP", ""],
    ),
    (
        "Socket",
        "FileDescriptorName",
        &["a", "a b", "a:b", "%p", "", "ä"],
    ),
    ("Socket", "TimeoutSec", TIMES),
    ("Socket", "TriggerLimitIntervalSec", TIMES),
    ("Socket", "TriggerLimitBurst", NUMBERS),
    (
        "Socket",
        "Service",
        &[
            "b.service",
            "b",
            "b.socket",
            "b@.service",
            "b@c.service",
            "%p.service",
            "",
        ],
    ),
    ("Unit", "StartLimitIntervalSec", TIMES),
    ("Unit", "DefaultDependencies", BOOLEANS),
    ("Unit", "After", UNITS),
    ("Unit", "Requires", UNITS),
];

const TIMES: &[&str] = &[
    "5",
    "0",
    "infinity",
    "1min 3ms",
    "2h",
    "1.5",
    "1.5s",
    "3 s",
    "3s 4",
    "-1",
    "nonsense",
    "",
    "1w",
    "500us",
    "1month",
    "0.0000001",
    "99999999999999999999",
    "1 y",
    "INFINITY",
    "5S",
];
const NUMBERS: &[&str] = &[
    "7",
    "0",
    "0x10",
    "010",
    "0b11",
    "0o17",
    "+7",
    "-7",
    "4294967296",
    "7k",
    "",
    " 7 ",
    "1 2",
];
const BOOLEANS: &[&str] = &[
    "yes", "no", "1", "0", "TRUE", "off", "y", "t", "f", "on ", "nonsense", "", "\"yes\"",
];
const UNITS: &[&str] = &[
    "other.service",
    "other.service another.target",
    "\"other.service\"",
    "%p-x.service",
    "other",
    "other@.service",
    "other@i.service",
    "a/b.service",
    "other.service,another.service",
    "",
    "other.service other.service",
    "ot%%her.service",
    "other@%n.service",
    "\\x6fther.service",
];
const COMMANDS: &[&str] = &[
    "/bin/echo a b",
    "/bin/echo \"a b\" 'c d'",
    "-/bin/echo",
    "+/bin/echo",
    "!/bin/echo",
    "!!/bin/echo",
    ":/bin/echo $A",
    "@/bin/echo zero one",
    "-@:+/bin/echo zero",
    "+!/bin/echo",
    "|/bin/echo",
    "/bin/echo a ; /bin/echo b",
    "/bin/echo a \\; b",
    "/bin/echo a;b",
    "/bin/echo \\x41\\101\\n",
    "/bin/echo \\q",
    "/bin/echo %n %N %p %i %% %t %h %u %U",
    "/bin/echo %",
    "/bin/echo %Z",
    "/bin/echo \"a",
    "/bin/echo a\"b\"c",
    "/bin/echo \"\" ''",
    "bin/echo",
    "echo a",
    "/bin/../bin/echo",
    "/bin//echo/",
    "/bin/echo/",
    "\"/bin/echo\" a",
    "/bin/echo $A ${A} $$A",
    "",
    ";",
    "/bin/echo a \\\n  b",
    "/bin/echo a \\\n# comment\n  b",
    "/bin/echo ä \\u00e4 \\U0001f600",
    "/bin/echo a ;",
    "; /bin/echo a",
    "/bin/echo a # b",
    "/bin/echo\ta\t b",
    "\\x2fbin/echo a",
    "--/bin/echo",
    "/bin/echo '%n' \"%p\"",
    "/bin/echo \\s\\t\\\"",
    "/%p/echo",
    "%h/echo a",
    "nonsense-program a",
];
const ADDRESSES: &[&str] = &[
    "8080",
    "0",
    "65535",
    "65536",
    "127.0.0.1:80",
    "127.0.0.1",
    "[::1]:80",
    "[::1]",
    "::1",
    "[::]:80",
    "[::ffff:127.0.0.1]:80",
    "[fe80::1%%lo]:80",
    "[fe80::1]:80%%lo",
    "%t/a.sock",
    "/a b",
    "/a/../b",
    "/a//b/",
    "@a",
    "@",
    "vsock:2:1",
    "vsock::1",
    "vsock:2:",
    "vsock:4294967295:5",
    "vsock-stream:2:1",
    "localhost:80",
    "*:80",
    ":80",
    "+80",
    "080",
    "0x50",
    "",
    "8080 8081",
    "%p",
    "@%p",
    "1.2.3.4:0",
    "1.2.3:80",
    "01.2.3.4:80",
    "[::1%%lo]:80",
];

/// All cases, in the same order every time.
pub(super) fn all() -> Vec<Case> {
    let mut made = Made::default();
    made.settings("service", "[Service]\nExecStart=/bin/true\n", SERVICE);
    made.settings("socket", "[Socket]\nListenStream=%t/first.sock\n", SOCKET);
    made.tables();
    made.places();
    made.cases
}

#[derive(Default)]
struct Made {
    cases: Vec<Case>,
}

impl Made {
    /// Adds a unit with drop-ins.
    fn add(&mut self, kind: &str, about: String, texts: &[String]) {
        let unit = format!("dt-{}-x.{kind}", self.cases.len());
        let path = |index: usize| match index {
            0 => unit.clone(),
            _ => format!("{unit}.d/{index}.conf"),
        };
        let files = texts.iter().enumerate();
        let files = files.map(|(index, text)| (path(index), text.clone()));
        self.cases.push(Case {
            about: format!("{unit}: {about}"),
            files: files.collect(),
            unit,
        });
    }

    fn settings(&mut self, kind: &str, base: &str, settings: &[(&str, &str, &[&str])]) {
        for (section, key, values) in settings {
            for (index, value) in values.iter().enumerate() {
                let line = format!("[{section}]\n{key}={value}\n");
                // Far enough away to be of another sort.
                let other = values[(index + values.len() / 2) % values.len()];
                let drop_in = format!("[{section}]\n{key}={other}\n");
                let reset = format!("[{section}]\n{key}=\n{key}={other}\n");
                let fragment = format!("{base}{line}");
                self.add(kind, format!("{key}={value:?}"), &[fragment.clone()]);
                match index % 5 {
                    0 => self.add(
                        kind,
                        format!("{key}={value:?} {other:?}"),
                        &[fragment, drop_in],
                    ),
                    1 => self.add(
                        kind,
                        format!("{key}={value:?} \"\" {other:?}"),
                        &[fragment, reset],
                    ),
                    _ => {}
                }
            }
        }
    }

    fn tables(&mut self) {
        let text = |column: &str| serde_json::from_str::<String>(column).unwrap();
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/raf-parse.tsv"
        )) {
            let lines: Vec<String> = serde_json::from_str(row[1]).unwrap();
            let lines = lines
                .iter()
                .map(|line| format!("RestrictAddressFamilies={line}\n"));
            let unit = format!(
                "[Service]\nExecStart=/bin/true\n{}",
                lines.collect::<String>()
            );
            self.add("service", format!("families {}", row[0]), &[unit]);
        }
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/exec-lines-observed.tsv"
        )) {
            let unit = format!("[Service]\nExecStart={}\n", text(row[0]));
            self.add("service", format!("command {}", row[0]), &[unit]);
        }
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/exec-command-parse.tsv"
        )) {
            let unit = format!("[Service]\nType=oneshot\nExecStart={}\n", text(row[1]));
            self.add("service", format!("command {}", row[1]), &[unit]);
        }
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/socket-directives-observed.tsv"
        )) {
            let (key, value) = (row[0], text(row[1]));
            // "Any port": systemd 252 takes it, later versions do not.
            if value == "vsock:2:4294967295" {
                continue;
            }
            let first = if key.starts_with("Listen") {
                ""
            } else {
                "ListenStream=1\n"
            };
            let unit = format!("[Socket]\n{first}{key}={value}\n");
            self.add("socket", format!("{key}={value:?}"), &[unit]);
        }
        for row in rows(include_str!(
            "../../../../podseal-core/tests/conformance/time-span.tsv"
        )) {
            if let Ok(value) = serde_json::from_str::<String>(row[0]) {
                let unit = format!("[Service]\nExecStart=/bin/true\nRestartSec={value}\n");
                self.add("service", format!("time {value:?}"), &[unit]);
            }
        }
    }

    /// Drop-ins in their order, masks, aliases, templates and instances.
    fn places(&mut self) {
        let unit = |name: &str| format!("[Service]\nExecStart=/bin/echo {name} %n %i %I %j %J\n");
        let set = |name: &str| format!("[Service]\nEnvironment=A={name} {name}=1\nRestartSec=2\n");
        let files: &[(&str, String)] = &[
            ("dtp-a-b.service", unit("a")),
            ("dtp-.service.d/10-x.conf", set("a")),
            ("dtp-.service.d/20-y.conf", set("b")),
            ("dtp-a-.service.d/20-y.conf", set("c")),
            ("dtp-a-b.service.d/30-w.conf", set("d")),
            ("dtp-a-b.service.d/05-v.conf", set("e")),
            (
                "dtp-a-b.service.d/50-masked.conf",
                "-> /dev/null".to_owned(),
            ),
            ("dtp-a-b.service.d/60-no.txt", set("f")),
            ("dtm.service", "-> /dev/null".to_owned()),
            ("dte.service", String::new()),
            ("dtt@.service", unit("t")),
            ("dtt@.service.d/1.conf", set("t")),
            ("dtt@one.service.d/2.conf", set("u")),
            ("dtt@two.service", unit("two")),
        ];
        let mut files: Vec<_> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.clone()))
            .collect();
        for name in [
            "dtp-a-b.service",
            "dtm.service",
            "dte.service",
            "dtt@one.service",
            "dtt@two.service",
            "dtt@a-b.service",
            "dtt@a\\x2db.service",
            "dtt@a@b.service",
        ] {
            self.cases.push(Case {
                about: name.to_owned(),
                unit: name.to_owned(),
                files: std::mem::take(&mut files),
            });
        }
    }
}

fn rows(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.lines().skip(1).map(|line| line.split('\t').collect())
}
