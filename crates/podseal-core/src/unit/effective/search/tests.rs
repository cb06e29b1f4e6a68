use super::*;

/// What is in directories of drop-ins, by path.
type DropIns = BTreeMap<String, BTreeMap<String, DropIn>>;

/// Search directories from lines `DIR/NAME`, `DIR/NAME -> TARGET`,
/// `DIR/NAME (empty)` and `DIR/NAME.d/FILE`; the directories are `/hi`, `/lo`.
fn dirs(lines: &[&str]) -> (Vec<SearchDir>, DropIns) {
    let mut dropins = DropIns::new();
    let mut dirs: Vec<SearchDir> = ["hi", "lo"]
        .iter()
        .map(|name| SearchDir {
            path: format!("/{name}"),
            entries: BTreeMap::new(),
        })
        .collect();
    for line in lines {
        let (path, target) = match line.split_once(" -> ") {
            Some((path, target)) => (path, Some(target)),
            None => (*line, None),
        };
        let (path, empty) = match path.strip_suffix(" (empty)") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let (dir, rest) = path.split_once('/').expect("DIR/NAME");
        let entries = &mut dirs[usize::from(dir == "lo")].entries;
        if let Some((name, file)) = rest.split_once('/') {
            let kind = if empty || target.is_some() {
                DropIn::Masked
            } else {
                DropIn::File
            };
            entries.insert(name.to_owned(), Entry::Directory);
            let files = dropins.entry(format!("/{dir}/{name}")).or_default();
            files.insert(file.to_owned(), kind);
        } else {
            let entry = match target {
                Some(target) => Entry::Link(target.to_owned()),
                None => Entry::File,
            };
            entries.insert(rest.to_owned(), entry);
        }
    }
    (dirs, dropins)
}

/// What was found, and its drop-ins.
fn find(unit: &str, lines: &[&str]) -> (Located, Vec<String>) {
    let (dirs, contents) = dirs(lines);
    let located = Listing::new(dirs).locate(&unit.parse().expect("valid"));
    let directories = located.dropin_directories.iter();
    let directories: Vec<_> = directories
        .map(|path| (path.clone(), contents[path].clone()))
        .collect();
    let found = dropins(&directories);
    (located, found)
}

#[test]
fn names() {
    let (dirs, _) = dirs(&[
        "hi/a.service",
        "lo/a.service",
        "hi/b.service -> a.service",
        "lo/c.socket",
        "lo/d.service.d/1.conf",
    ]);
    let names = Listing::new(dirs).names();
    let names: Vec<&str> = names.iter().map(UnitName::as_str).collect();
    assert_eq!(names, ["a.service", "b.service", "c.socket"]);
}

#[test]
fn order_of_directories_for_drop_ins() {
    let (_, dropins) = find(
        "a-b-c.service",
        &[
            "hi/a-b-c.service",
            // Search directories count before the length of the name …
            "lo/a-b-c.service.d/1.conf",
            "hi/a-.service.d/1.conf",
            "hi/service.d/1.conf",
            "lo/a-b-.service.d/2.conf",
            "hi/a-.service.d/2.conf",
            // … and the type's directory always comes last.
            "lo/a-b-c.service.d/3.conf",
            "hi/service.d/3.conf",
            "hi/a-b-c.service.d/4.conf",
            "hi/a-.service.d/4.conf",
            "hi/a-.service.d/5.conf",
            "lo/service.d/0.conf",
        ],
    );
    assert_eq!(
        dropins,
        [
            "/lo/service.d/0.conf",
            "/hi/a-.service.d/1.conf",
            "/hi/a-.service.d/2.conf",
            "/lo/a-b-c.service.d/3.conf",
            "/hi/a-b-c.service.d/4.conf",
            "/hi/a-.service.d/5.conf",
        ]
    );
}

#[test]
fn names_with_drop_ins() {
    let names = |name: &str| dropin_names(&name.parse().expect("valid"));
    assert_eq!(
        names("x-y-z@i-j.service"),
        [
            "x-y-z@i-j.service",
            "x-y-z@.service",
            "x-y-@i-j.service",
            "x-y-@.service",
            "x-@i-j.service",
            "x-@.service",
        ]
    );
    assert_eq!(
        names("a--b.socket"),
        ["a--b.socket", "a--.socket", "a-.socket"]
    );
    assert_eq!(names("a-.service"), ["a-.service"]);
    assert_eq!(names("a@.service"), ["a@.service"]);
}

#[test]
fn masks_hide_weaker_files() {
    let (_, dropins) = find(
        "a.service",
        &[
            "hi/a.service",
            "lo/a.service.d/5.conf",
            "hi/a.service.d/5.conf -> /dev/null",
            "hi/a.service.d/.6.conf",
            "hi/a.service.d/7.txt",
            "lo/a.service.d/8.conf",
            "hi/a.service.d/8.conf (empty)",
            "lo/a.service.d/9.conf",
        ],
    );
    assert_eq!(dropins, ["/lo/a.service.d/9.conf"]);
    let (located, _) = find("a.service", &["hi/a.service -> /dev/null", "lo/a.service"]);
    assert_eq!(
        located.fragment,
        Fragment::Masked("/hi/a.service".to_owned())
    );
    let (located, _) = find(
        "a@b.service",
        &["hi/a@b.service -> /dev/null", "hi/a@.service"],
    );
    assert_eq!(
        located.fragment,
        Fragment::Masked("/hi/a@b.service".to_owned())
    );
}

/// A unit, the files, its id and the path of its file (`-` for none).
type Row<'a> = (&'a str, &'a [&'a str], &'a str, &'a str);

const FRAGMENTS: &[Row<'_>] = &[
    (
        "a.service",
        &["hi/a.service", "lo/a.service"],
        "a.service",
        "/hi/a.service",
    ),
    ("a.service", &["lo/a.service"], "a.service", "/lo/a.service"),
    ("a.service", &["hi/b.service"], "a.service", "-"),
    (
        "al.service",
        &["lo/orig.service", "hi/al.service -> orig.service"],
        "orig.service",
        "/lo/orig.service",
    ),
    // A link into the search path names a unit, not a file.
    (
        "al.service",
        &[
            "hi/o.service",
            "lo/o.service",
            "lo/al.service -> /lo/o.service",
        ],
        "o.service",
        "/hi/o.service",
    ),
    (
        "z.service",
        &[
            "hi/y.service -> x.service",
            "hi/z.service -> y.service",
            "lo/x.service",
        ],
        "x.service",
        "/lo/x.service",
    ),
    (
        "z.service",
        &["hi/y.service -> z.service", "hi/z.service -> y.service"],
        "z.service",
        "-",
    ),
    (
        "a.service",
        &["hi/a.service -> a.service"],
        "a.service",
        "-",
    ),
    // One to elsewhere is the file itself.
    (
        "al.service",
        &["hi/al.service -> ../opt/foo.service"],
        "al.service",
        "/hi/al.service",
    ),
    (
        "al.service",
        &["hi/al.service -> gone.service", "lo/al.service"],
        "al.service",
        "-",
    ),
    (
        "al.service",
        &["hi/al.service -> a.socket", "hi/a.socket"],
        "al.service",
        "-",
    ),
    (
        "al.service",
        &["hi/al.service -> o@i.service", "hi/o@.service"],
        "al.service",
        "-",
    ),
    (
        "a@b.service",
        &["lo/a@b.service", "hi/a@.service"],
        "a@b.service",
        "/lo/a@b.service",
    ),
    (
        "a@b.service",
        &["hi/a@.service"],
        "a@b.service",
        "/hi/a@.service",
    ),
    (
        "al@i.service",
        &["hi/o@.service", "hi/al@.service -> o@.service"],
        "o@i.service",
        "/hi/o@.service",
    ),
    (
        "al@i.service",
        &["hi/o@.service", "hi/al@i.service -> o@.service"],
        "o@i.service",
        "/hi/o@.service",
    ),
];

#[test]
fn fragments() {
    for (unit, files, id, path) in FRAGMENTS {
        let (located, _) = find(unit, files);
        assert_eq!(located.id.as_str(), *id, "{unit} {files:?}");
        let expected = match *path {
            "-" => Fragment::Missing,
            path => Fragment::File(path.to_owned()),
        };
        assert_eq!(located.fragment, expected, "{unit} {files:?}");
    }
}

#[test]
fn drop_ins_of_aliases() {
    let files = [
        "hi/orig.service",
        "hi/al.service -> orig.service",
        "lo/al.service.d/4.conf",
        "hi/al.service.d/5.conf",
        "lo/orig.service.d/5.conf",
        "hi/al-.service.d/6.conf",
    ];
    // The unit's own name comes first, whatever it was looked for by.
    for unit in ["orig.service", "al.service"] {
        let (_, dropins) = find(unit, &files);
        assert_eq!(
            dropins,
            ["/lo/al.service.d/4.conf", "/lo/orig.service.d/5.conf"],
            "{unit}"
        );
    }
    let (_, dropins) = find(
        "al@i.service",
        &[
            "hi/o@.service",
            "hi/al@.service -> o@.service",
            "hi/al@.service.d/1.conf",
            "hi/o@i.service.d/2.conf",
            "hi/al@i.service.d/3.conf",
            "hi/o@.service.d/4.conf",
        ],
    );
    assert_eq!(
        dropins,
        [
            "/hi/al@.service.d/1.conf",
            "/hi/o@i.service.d/2.conf",
            "/hi/al@i.service.d/3.conf",
            "/hi/o@.service.d/4.conf",
        ]
    );
}

#[test]
fn dependencies_that_are_links() {
    let (dirs, contents) = dirs(&[
        "hi/a-b@.service",
        "hi/al@i.service -> a-b@.service",
        "hi/a-b@.service.wants/b.service",
        "lo/a-b@i.service.wants/b.service (empty)",
        "lo/a-b@i.service.wants/c.service",
        "lo/a-b@i.service.wants/t@.service",
        "lo/a-b@i.service.wants/no-unit",
        "lo/a-@.service.wants/c.service (empty)",
        "lo/service.wants/d.service",
        "lo/al@i.service.requires/e.service",
        "hi/a-b@other.service.requires/f.service",
    ]);
    let located = Listing::new(dirs).locate(&"al@i.service".parse().expect("valid"));
    let found = |key| -> Vec<String> {
        let mut directories = located.dependency_directories.iter();
        let (_, directories) = directories.find(|(of, _)| *of == key).expect("there");
        let directories = directories.iter();
        let directories: Vec<_> = directories
            .map(|path| (path.clone(), contents[path].clone()))
            .collect();
        let links = dependency_links(&directories).into_iter();
        links.map(|(unit, path)| format!("{unit} {path}")).collect()
    };
    assert_eq!(
        found("Wants"),
        [
            "b.service /hi/a-b@.service.wants/b.service",
            "c.service /lo/a-b@i.service.wants/c.service",
            "d.service /lo/service.wants/d.service",
            "t@.service /lo/a-b@i.service.wants/t@.service",
        ]
    );
    assert_eq!(
        found("Requires"),
        ["e.service /lo/al@i.service.requires/e.service"]
    );
    assert_eq!(found("Upholds"), [""; 0]);
}

#[test]
fn directories_with_parts_of_units() {
    for name in [
        "a.service.d",
        "service.wants",
        "a.socket.requires",
        "a.upholds",
    ] {
        assert!(has_parts(name), "{name}");
    }
    for name in ["a.service", "wants", "d", "a.service.wanted"] {
        assert!(!has_parts(name), "{name}");
    }
}
