use super::*;

/// Words that have a dollar sign are open.
fn parse(line: &str) -> Invocation<()> {
    let words: Vec<Word<()>> = line
        .split_whitespace()
        .map(|text| Word {
            text: text.into(),
            is_open: text.contains('$'),
            place: (),
        })
        .collect();
    Invocation::parse(&words)
}

fn shown(invocation: &Invocation<()>) -> Vec<String> {
    let show = |option: &CommandOption<()>| match &option.value {
        Some(value) => format!("{}={value}", option.name),
        None => option.name.to_owned(),
    };
    invocation.options.iter().map(show).collect()
}

#[test]
fn options_end_at_the_image() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "--log-level debug run --rm -d --network none img --network=host",
            &["log-level=debug", "rm", "detach", "network=none"],
            &["img", "--network=host"],
        ),
        (
            "run -itp8080:80 --net=none -v /a:/b -e=A=1 img",
            &[
                "interactive",
                "tty",
                "publish=8080:80",
                "network=none",
                "volume=/a:/b",
                "env=A=1",
            ],
            &["img"],
        ),
        (
            "run --name --privileged img",
            &["name=--privileged"],
            &["img"],
        ),
        (
            "run --rm=false -- --pull img",
            &["rm=false"],
            &["--pull", "img"],
        ),
        (
            "container run --log-level=debug img",
            &["log-level=debug"],
            &["img"],
        ),
        ("create -q -P img", &["quiet", "publish-all"], &["img"]),
        (
            "kube play --net=none a.yaml",
            &["network=none"],
            &["a.yaml"],
        ),
    ];
    for (line, options, operands) in cases {
        let invocation = parse(line);
        assert_eq!(shown(&invocation), *options, "{line}");
        let found: Vec<&str> = invocation.operands.iter().map(|w| &*w.text).collect();
        assert_eq!(found, *operands, "{line}");
        assert_eq!(invocation.unclear, None, "{line}");
    }
}

#[test]
fn verbs() {
    for (line, verb) in [
        ("run img", Verb::Run),
        ("container create img", Verb::Run),
        ("start -a web", Verb::Start),
        ("pod start web", Verb::Start),
        ("play kube a.yaml", Verb::KubePlay),
        ("unshare true", Verb::Unshare),
        ("rm -f web", Verb::Other),
        ("compose up", Verb::Unknown),
        ("$VERB img", Verb::Unknown),
        ("", Verb::Unknown),
    ] {
        assert_eq!(parse(line).verb, verb, "{line}");
    }
}

#[test]
fn what_cannot_be_told_is_said() {
    for line in [
        "run $OPTIONS img",
        "run $IMAGE",
        "run --network $NET img",
        "run --no-such-option img",
        "run -Z img",
        "--no-such-option run img",
        "run --network",
    ] {
        assert!(parse(line).unclear.is_some(), "{line}");
    }
    // Braces make one word of it.
    let invocation = parse("run --network=${NET} ${IMAGE} $ARGUMENTS");
    assert_eq!(invocation.unclear, None);
    assert!(invocation.options[0].is_open);
    assert!(invocation.image().expect("there").is_open);
}

#[test]
fn flags_may_be_off() {
    assert!(parse("run --privileged img").flag("privileged").is_some());
    assert!(
        parse("run --privileged --privileged=false img")
            .flag("privileged")
            .is_none()
    );
    assert!(
        parse("run --privileged=nonsense img")
            .flag("privileged")
            .is_some()
    );
}

#[test]
fn options_come_behind_the_verb() {
    for (command, expected) in [
        ("podman run -d x", "podman run A -d x"),
        (
            "podman --runtime=r container run x run",
            "podman --runtime=r container run A x run",
        ),
        ("podman stop x", "podman stop x"),
    ] {
        let mut words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let numbered = Word::numbered(words.iter().map(String::as_str));
        if let Some(at) = Invocation::parse(&numbered[1..]).behind_run() {
            words.insert(at, "A".to_owned());
        }
        assert_eq!(words.join(" "), expected);
    }
}
