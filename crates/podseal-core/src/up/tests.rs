use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::mark::{Found, from_section, read};
use super::*;
use crate::unit::effective::Scope;
use crate::unit::effective::merge::Source;
use crate::unit::effective::view::View;
use crate::unit::file::UnitFile;
use crate::unit::quadlet::container::{Surroundings, translate};
use crate::unit::quadlet::{Generator, QuadletFile};
use crate::unit::quote::{without_specifiers, without_variables};

fn wanted() -> Wanted {
    Wanted {
        name: "web".into(),
        description: None,
        sockets: vec![Socket {
            listen: "127.0.0.1:3000".parse().expect("valid"),
            name: None,
        }],
        image: "localhost/web".into(),
        environment: Vec::new(),
        volumes: Vec::new(),
        user: None,
        memory: None,
        podman: "/usr/bin/podman".into(),
        oci_runtime: None,
        arguments: Vec::new(),
        run_as: None,
    }
}

/// A file without its mark.
fn body(file: &File) -> &str {
    &file.text[file.text.find("[Unit]").expect("begins so")..]
}

#[test]
fn what_is_written_for_another_user() {
    let files = Wanted {
        run_as: Some(RunAs {
            name: "www".into(),
            uid: 990,
        }),
        ..wanted()
    }
    .files(Form::Service)
    .expect("can be written");
    assert_eq!(
        body(&files.service),
        "[Unit]
Description=web, a container of localhost/web
Documentation=man:podman-run(1)
PartOf=user@990.service
After=systemd-logind.service user@990.service
Requires=web.socket
After=web.socket

[Service]
User=www
Delegate=yes
Environment=XDG_RUNTIME_DIR=/run/user/990
Type=notify
NotifyAccess=all
Environment=PODMAN_SYSTEMD_UNIT=%n
Restart=on-failure
RestartSec=5s
TimeoutStopSec=70
ExecStartPre=/bin/rm -f /run/user/990/%n.ctr-id
ExecStart=/usr/bin/podman run \\
\t--cidfile=/run/user/990/%n.ctr-id \\
\t--cgroups=split \\
\t--rm \\
\t--sdnotify=conmon \\
\t--replace \\
\t--pull=never \\
\t--network=none \\
\t--no-healthcheck \\
\t-d \\
\t--name=systemd-web \\
\tlocalhost/web
ExecStop=/usr/bin/podman \\
\tstop -t 10 --ignore --cidfile=/run/user/990/%n.ctr-id
ExecStopPost=/usr/bin/podman \\
\trm -f -t 10 --ignore --cidfile=/run/user/990/%n.ctr-id
"
    );
}

#[test]
fn what_is_written_for_quadlet() {
    let files = Wanted {
        environment: vec!["A=1".into(), "B=two words".into()],
        volumes: vec!["/srv:/srv:ro".into()],
        user: Some("1000:1000".into()),
        memory: Some("64m".into()),
        oci_runtime: Some("/usr/bin/runc".into()),
        arguments: vec!["--port".into(), "100%".into(), "$HOME".into()],
        ..wanted()
    }
    .files(Form::Quadlet)
    .expect("can be written");
    assert_eq!(files.service.name, "web.container");
    assert_eq!(
        body(&files.service),
        "[Unit]
Description=web, a container of localhost/web
Requires=web.socket
After=web.socket

[Container]
Image=localhost/web
Network=none
Pull=never
Environment=A=1
Environment=\"B=two words\"
Volume=/srv:/srv:ro
User=1000:1000
GlobalArgs=--runtime=/usr/bin/runc
PodmanArgs=--no-healthcheck
PodmanArgs=--memory=64m
Exec=--port 100%% $$HOME

[Service]
Restart=on-failure
RestartSec=5s

[Quadlet]
DefaultDependencies=false
"
    );
}

#[test]
fn what_is_written_as_a_service() {
    let files = Wanted {
        environment: vec!["B=two words".into()],
        oci_runtime: Some("/usr/bin/runc".into()),
        arguments: vec!["a".into(), String::new(), ";".into()],
        ..wanted()
    }
    .files(Form::Service)
    .expect("can be written");
    assert_eq!(files.service.name, "web.service");
    assert_eq!(
        body(&files.service),
        "[Unit]
Description=web, a container of localhost/web
Documentation=man:podman-run(1)
RequiresMountsFor=%t/containers
Requires=web.socket
After=web.socket

[Service]
Type=notify
NotifyAccess=all
Environment=PODMAN_SYSTEMD_UNIT=%n
Restart=on-failure
RestartSec=5s
TimeoutStopSec=70
ExecStartPre=/bin/rm -f %t/%n.ctr-id
ExecStart=/usr/bin/podman --runtime=/usr/bin/runc run \\
\t--cidfile=%t/%n.ctr-id \\
\t--cgroups=no-conmon \\
\t--rm \\
\t--sdnotify=conmon \\
\t--replace \\
\t--pull=never \\
\t--network=none \\
\t--no-healthcheck \\
\t-d \\
\t--name=systemd-web \\
\t\"--env=B=two words\" \\
\tlocalhost/web a \"\" \";\"
ExecStop=/usr/bin/podman --runtime=/usr/bin/runc \\
\tstop -t 10 --ignore --cidfile=%t/%n.ctr-id
ExecStopPost=/usr/bin/podman --runtime=/usr/bin/runc \\
\trm -f -t 10 --ignore --cidfile=%t/%n.ctr-id
"
    );
}

#[test]
fn sockets_of_one_name_share_a_unit() {
    let socket = |listen: &str, name: Option<&str>| Socket {
        listen: listen.parse().expect("valid"),
        name: name.map(str::to_owned),
    };
    let of = |sockets: Vec<Socket>| {
        let wanted = Wanted {
            sockets,
            ..wanted()
        };
        wanted.files(Form::Quadlet).expect("can be written")
    };
    let files = of(vec![
        socket("8080", None),
        socket("/run/a%b.sock", None),
        socket("unix-seqpacket:@x", None),
    ]);
    assert_eq!(
        body(&files.sockets[0]),
        "[Unit]\nDescription=Sockets of web\n\n[Socket]\nListenStream=8080\n\
         ListenStream=/run/a%%b.sock\nListenSequentialPacket=@x\nRemoveOnStop=yes\n\n\
         [Install]\nWantedBy=sockets.target\n"
    );
    let files = of(vec![
        socket("1", Some("http")),
        socket("2", Some("admin")),
        socket("[::1]:3", Some("http")),
    ]);
    let names: Vec<&str> = files
        .sockets
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["web.socket", "web-admin.socket"]);
    for key in ["Requires", "After"] {
        let line = format!("\n{key}=web.socket web-admin.socket\n");
        assert!(body(&files.service).contains(&line));
    }
    assert_eq!(
        from_section(body(&files.sockets[0]), "Socket"),
        "\n[Socket]\nListenStream=1\nListenStream=[::1]:3\nFileDescriptorName=http\n\n\
         [Install]\nWantedBy=sockets.target\n"
    );
    assert!(body(&files.sockets[1]).contains("\nFileDescriptorName=admin\nService=web.service\n"));
}

#[test]
fn what_no_unit_file_can_have_is_refused() {
    let mut cases = vec![
        Wanted {
            image: String::new(),
            ..wanted()
        },
        Wanted {
            description: Some("two\nlines".into()),
            ..wanted()
        },
    ];
    for volume in ["/a:/b\nExec=x", "/a\\", " /a", "/\"a"] {
        cases.push(Wanted {
            volumes: vec![volume.into()],
            ..wanted()
        });
    }
    for argument in ["", ";"] {
        cases.push(Wanted {
            arguments: vec![argument.into()],
            ..wanted()
        });
    }
    for wanted in cases {
        wanted
            .files(Form::Quadlet)
            .expect_err(&format!("{wanted:?}"));
    }
}

#[test]
fn a_mark_tells_whose_a_file_is() {
    let files = wanted().files(Form::Service).expect("can be written");
    let text = files.service.text;
    assert_eq!(read(&text), Found::Ours("web".into()));
    assert_eq!(read(&(text.clone() + "\n")), Found::Edited("web".into()));
    assert_eq!(read(&text[1..]), Found::Foreign);
    assert_eq!(read(""), Found::Foreign);
}

/// The command of the service that is made of a file.
fn argv(file: &File, form: Form, generator: Generator) -> Vec<String> {
    match form {
        Form::Quadlet => {
            let file = QuadletFile::parse("/c/web.container", file.text.as_bytes());
            let translated = translate(
                &file.expect("is read"),
                &Surroundings {
                    scope: Scope::User,
                    generator,
                    resources: &BTreeMap::new(),
                    missing_devices: &BTreeSet::new(),
                },
            );
            let value = translated.expect("translated").podman.to_value(generator);
            argv_of(&format!("[Service]\nExecStart={value}\n"))
        }
        Form::Service => argv_of(&file.text),
    }
}

fn argv_of(text: &str) -> Vec<String> {
    let source = Source {
        path: "/c/web.service".into(),
        file: UnitFile::parse(text),
    };
    let unit = "web.service".parse().expect("valid");
    let host = BTreeMap::from([('t', "/run/user/1".to_owned())]);
    match View::new(&unit, &source, &[], &host, Scope::User) {
        Some(View::Service(service)) => {
            assert!(service.loads, "{:?}", service.diagnostics);
            let commands = service.commands_of("ExecStart");
            assert_eq!(commands.len(), 1);
            commands[0].value.argv.clone()
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn words_reach_podman_as_they_were_given(
        words in prop::collection::vec("[ -~\u{e4}\t\n]{1,12}", 1..5),
        value in "[ -~]{0,12}",
    ) {
        prop_assume!(!words.contains(&";".to_owned()));
        let environment = format!("A={value}");
        let wanted = Wanted {
            environment: vec![environment.clone()],
            arguments: words.clone(),
            ..wanted()
        };
        for (form, generator) in [
            (Form::Quadlet, Generator::V5_4),
            (Form::Quadlet, Generator::V5_8),
            (Form::Service, Generator::NEWEST),
        ] {
            let files = wanted.files(form).expect("can be written");
            let found = argv(&files.service, form, generator);
            // Variables are put in when it is started; specifiers were before.
            let expected: Vec<String> = words.iter().map(|word| without_variables(word)).collect();
            prop_assert_eq!(&found[found.len() - words.len()..], &expected[..], "{}", &files.service.text);
            let environment = without_variables(&environment);
            prop_assert!(
                found.iter().any(|word| word.ends_with(&environment)),
                "{:?} {}", found, without_specifiers(&files.service.text)
            );
        }
    }
}
