use proptest::prelude::*;

use super::{EditError, LONG_LINE_MAX, UnitFile};

fn settings(text: &[u8]) -> Vec<(usize, String)> {
    UnitFile::parse(text)
        .settings()
        .map(|s| (s.line, format!("[{}]{}={}", s.section, s.key, s.value)))
        .collect()
}

type Lines<'a> = &'a [(usize, &'a str)];

/// Each pair: a text, and what systemd 252 reads from it.
#[test]
fn reads_as_systemd_does() {
    let cases: &[(&[u8], Lines<'_>)] = &[
        (b"[S]\n  A  =  b c  \n", &[(2, "[S]A=b c")]),
        (b"[S]\nA=\nA==b\n", &[(2, "[S]A="), (3, "[S]A==b")]),
        (b"[S]\nA=x#y ;z\n", &[(2, "[S]A=x#y ;z")]),
        (b"[S]\n#A=1\n ;B=1\nC=1", &[(4, "[S]C=1")]),
        // Blanks before a continuation line stay.
        (b"[S]\nA=\"a\\\n   b\"\n", &[(2, "[S]A=\"a    b\"")]),
        // Comments inside a continuation are passed over and do not end it.
        (
            b"[S]\nA=a\\\n# x \\\n  ; y\n b\nB=1\n",
            &[(2, "[S]A=a  b"), (6, "[S]B=1")],
        ),
        // A comment does not continue.
        (b"[S]\n# x \\\nA=1\n", &[(3, "[S]A=1")]),
        // Only an odd number of backslashes at the very end continues a line.
        (b"[S]\nA=a\\\\\nB=1\n", &[(2, "[S]A=a\\\\"), (3, "[S]B=1")]),
        (b"[S]\nA=a\\\\\\\nB=1\n", &[(2, "[S]A=a\\\\ B=1")]),
        (b"[S]\nA=a\\ \nB=1\n", &[(2, "[S]A=a\\"), (3, "[S]B=1")]),
        (b"[S]\nA=a\\\n\nB=1\n", &[(2, "[S]A=a"), (4, "[S]B=1")]),
        (b"[S]\nA=a\\", &[(2, "[S]A=a")]),
        (b"[S]\nA=\\\n[T]\nB=1\n", &[(2, "[S]A=[T]"), (4, "[S]B=1")]),
        (b"[S]\nA\\\nB=1\n", &[(2, "[S]A B=1")]),
        // Section names are taken to the letter.
        (
            b"[S]\nA=1\n[s]\nA=2\n[S ]\nA=3\n [S]\nA=4\n",
            &[(2, "[S]A=1"), (4, "[s]A=2"), (6, "[S ]A=3"), (8, "[S]A=4")],
        ),
        (
            b"[X-Podseal]\nLevel=strict\n[]\nA=1\n",
            &[(2, "[X-Podseal]Level=strict"), (4, "[]A=1")],
        ),
        // Every line end, and the pairs that count as one.
        (
            b"[S]\rA=1\n\rB=1\r\r\nC=1\0D=1\0\nE=1",
            &[
                (2, "[S]A=1"),
                (3, "[S]B=1"),
                (5, "[S]C=1"),
                (6, "[S]D=1"),
                (8, "[S]E=1"),
            ],
        ),
        (b"[S]\r\nA=a\\\r\n b\r\n", &[(2, "[S]A=a  b")]),
        // A byte order mark is passed over once, on whichever line.
        (b"\xef\xbb\xbf[S]\nA=1\n", &[(2, "[S]A=1")]),
        (b"# x\n\xef\xbb\xbf[S]\nA=1\n", &[(3, "[S]A=1")]),
        (b"A=1\n[S]\nfoo\n=bar\nB=1\n", &[(5, "[S]B=1")]),
        (b"", &[]),
    ];
    for (text, expected) in cases {
        let found = settings(text);
        let found: Vec<(usize, &str)> = found.iter().map(|(l, s)| (*l, s.as_str())).collect();
        assert_eq!(found, *expected, "{}", text.escape_ascii());
    }
}

#[test]
fn lines_passed_over_are_reported() {
    let file = UnitFile::parse("\u{feff}# x\nA=1\n[S]\nfoo\n=bar\n");
    let lines: Vec<usize> = file.problems().iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 2, 4, 5]);
}

#[test]
fn reading_stops_where_systemd_stops() {
    let cases: &[(&[u8], &str)] = &[
        (b"[S]\nA=1\nB=\xff\nC=1\n", "line 3: not UTF-8"),
        (b"[S]\nA=1\n[T\nC=1\n", "line 3: bad section header \"[T\""),
        (b"[S]\nA=1\n[\nC=1\n", "line 3: bad section header \"[\""),
        (
            b"[S]\nA=1\n[\"T\"]\nC=1\n",
            "line 3: bad section header \"[\\\"T\\\"]\"",
        ),
    ];
    for (text, message) in cases {
        let mut file = UnitFile::parse(*text);
        let refusal = file.refusal().expect("refused").to_string();
        assert_eq!(refusal, *message);
        assert_eq!(file.settings().count(), 1);
        assert_eq!(file.as_bytes(), *text);
        let error = file.set("S", "A", "2").expect_err("not edited");
        assert!(matches!(error, EditError::Refused { .. }));
    }
    // Comments may be anything.
    assert_eq!(settings(b"[S]\n# \xff\nA=1\n").len(), 1);
}

#[test]
fn line_length_limits() {
    let refused = |text: String| UnitFile::parse(text).refusal().is_some();
    let long = |length: usize| "x".repeat(length);
    assert!(!refused(format!("[S]\nA={}\n", long(LONG_LINE_MAX - 3))));
    assert!(refused(format!("[S]\nA={}\n", long(LONG_LINE_MAX - 2))));
    assert!(refused(format!("#{}\n", long(LONG_LINE_MAX))));
    let joined = |rest: usize| format!("[S]\nA={}\\\n{}\n", long(500_000), long(rest));
    assert!(!refused(joined(LONG_LINE_MAX - 500_003)));
    assert!(refused(joined(LONG_LINE_MAX - 500_002)));
}

#[test]
fn many_continuation_lines_stay_cheap() {
    let mut text = "[S]\n".to_owned();
    for _ in 0..50 {
        text.push_str("A=");
        text.push_str(&"\\\n# comment\n".repeat(20_000));
        text.push('\n');
    }
    let file = UnitFile::parse(text);
    assert_eq!(file.settings().count(), 50);
}

#[test]
fn edits() {
    type Edit = fn(&mut UnitFile) -> Result<(), EditError>;
    let cases: &[(&str, Edit, &str)] = &[
        (
            "# a\n[S]\n  A = 1  \n; b\nB=1\n",
            |f| f.set("S", "A", "2"),
            "# a\n[S]\n  A = 2  \n; b\nB=1\n",
        ),
        (
            "[S]\nA=1\nB=1\nA=2\\\n 3\nC=1\n",
            |f| f.set("S", "A", "4"),
            "[S]\nB=1\nA=4\nC=1\n",
        ),
        (
            "[S]\nA=\nB=1\n",
            |f| f.set("S", "A", "x"),
            "[S]\nA=x\nB=1\n",
        ),
        ("[S]\nA=1\n", |f| f.set("S", "A", ""), "[S]\nA=\n"),
        ("[S]\nA=1\\", |f| f.set("S", "A", "2"), "[S]\nA=2"),
        ("[S]\nA=1\\\n", |f| f.set("S", "A", "2"), "[S]\nA=2\n"),
        (
            "[S]\nA\\\n=1\nB=1",
            |f| f.set("S", "A", "2"),
            "[S]\nA=2\nB=1",
        ),
        (
            "[S]\r\nA=1\r\n\r\n# end\r\n[T]\r\n",
            |f| f.append("S", "A", "2"),
            "[S]\r\nA=1\r\nA=2\r\n\r\n# end\r\n[T]\r\n",
        ),
        ("[S]", |f| f.append("S", "A", "1"), "[S]\nA=1\n"),
        (
            "[S]\nA=1\\",
            |f| f.append("S", "B", "1"),
            "[S]\nA=1\\\n\nB=1\n",
        ),
        (
            "[S]\nA=1\n[T]\n[S]\n",
            |f| f.append("S", "A", "2"),
            "[S]\nA=1\n[T]\n[S]\nA=2\n",
        ),
        ("", |f| f.append("S", "A", "1"), "[S]\nA=1\n"),
        (
            "[S]\nA=1",
            |f| f.append("T", "B", "1"),
            "[S]\nA=1\n\n[T]\nB=1\n",
        ),
        ("foo\\", |f| f.append("S", "A", "1"), "foo\\\n\n[S]\nA=1\n"),
        (
            "[S]\nA=1\n#c\nA=2\\\n#d\n 3\nB=1\n",
            |f| f.remove("S", "A").map(drop),
            "[S]\n#c\nB=1\n",
        ),
        ("[S]\nA=1", |f| f.remove("T", "A").map(drop), "[S]\nA=1"),
    ];
    for (before, edit, after) in cases {
        let mut file = UnitFile::parse(*before);
        edit(&mut file).expect(before);
        assert_eq!(
            file.as_bytes().escape_ascii().to_string(),
            after.as_bytes().escape_ascii().to_string()
        );
    }
}

#[test]
fn what_cannot_be_written_is_not() {
    let values = ["a\nb", "a\rb", "a\0b", " a", "a ", "a\\", "a\n[T]", "\t"];
    for value in values {
        for before in ["[S]\nA=1\nB=1\n", "[S]\nB=1\n", ""] {
            let mut file = UnitFile::parse(before);
            assert!(file.set("S", "A", value).is_err(), "{value:?}");
            assert!(file.append("S", "A", value).is_err(), "{value:?}");
            assert_eq!(file.as_bytes(), before.as_bytes());
        }
    }
    for (section, key) in [
        ("S", ""),
        ("S", "#a"),
        ("S", "a=b"),
        ("S", "[a"),
        ("a\"", "A"),
        ("S", "a "),
    ] {
        let mut file = UnitFile::parse("[S]\n");
        assert!(file.append(section, key, "1").is_err(), "{section} {key}");
    }
    // An even number of backslashes does not continue the line.
    let mut file = UnitFile::parse("[S]\n");
    assert_eq!(file.append("S", "A", "a\\\\"), Ok(()));
}

/// Text made of the pieces that matter, more often well-formed than not.
fn unit_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[ABC]{1,2} ?= ?[a-z\\\\ #]{0,6}\n".prop_map(String::into_bytes),
        2 => prop_oneof![Just("[S]\n"), Just("[T]\n"), Just(" [S] \r\n")].prop_map(|s| s.as_bytes().to_vec()),
        2 => prop_oneof![Just("# c\n"), Just("\n"), Just("; \\\n"), Just("\\\n"), Just("\r"), Just("\0"), Just("x")].prop_map(|s| s.as_bytes().to_vec()),
    ];
    let mark = prop_oneof![Just(""), Just("\u{feff}")];
    (mark, proptest::collection::vec(piece, 0..24))
        .prop_map(|(mark, pieces)| [mark.as_bytes(), &pieces.concat()].concat())
}

proptest! {
    #[test]
    fn any_bytes_round_trip(text in proptest::collection::vec(any::<u8>(), 0..256)) {
        let file = UnitFile::parse(text.clone());
        prop_assert_eq!(file.as_bytes(), text.as_slice());
    }

    #[test]
    fn edits_leave_the_rest(text in unit_text(), value in "[a-z]{0,4}") {
        let original = UnitFile::parse(text.clone());
        prop_assert_eq!(original.as_bytes(), text.as_slice());
        let others = |f: &UnitFile| -> Vec<String> {
            f.settings()
                .filter(|s| (s.section, s.key) != ("S", "A"))
                .map(|s| format!("{}.{}={}", s.section, s.key, s.value))
                .collect()
        };
        let values = |f: &UnitFile| -> Vec<String> {
            f.values("S", "A").map(|s| s.value.to_owned()).collect()
        };

        let mut set = original.clone();
        prop_assert_eq!(set.set("S", "A", &value), Ok(()));
        prop_assert_eq!(values(&set), vec![value.clone()]);
        prop_assert_eq!(others(&set), others(&original));

        let mut appended = original.clone();
        prop_assert_eq!(appended.append("S", "A", &value), Ok(()));
        prop_assert_eq!(others(&appended), others(&original));
        let mut expected = values(&original);
        expected.push(value);
        prop_assert_eq!(values(&appended), expected);
        // Appending only inserts.
        let added = appended.as_bytes().len() - text.len();
        let prefix = text.iter().zip(appended.as_bytes()).take_while(|(a, b)| a == b).count();
        prop_assert!(text[prefix..] == appended.as_bytes()[prefix + added..]);

        let mut removed = original.clone();
        prop_assert_eq!(removed.remove("S", "A").is_ok(), true);
        prop_assert_eq!(values(&removed).len(), 0);
        prop_assert_eq!(others(&removed), others(&original));
    }
}
