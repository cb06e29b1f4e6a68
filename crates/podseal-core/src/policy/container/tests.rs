use super::*;
use crate::policy::level::Level;
use crate::policy::seal::Seal;

/// As containers-common has it, in short.
const BASE: &str = r#"{
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["userfaultfd"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        {"names": ["accept4", "bind", "clone", "clone3", "connect", "listen", "mount", "new_call"],
         "action": "SCMP_ACT_ALLOW"},
        {"name": "unshare", "action": "SCMP_ACT_ALLOW"},
        {"names": ["setns", "sethostname"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}}
    ]
}"#;

fn mechanisms(allow_connect: bool) -> Vec<&'static Mechanism> {
    let seal = Seal {
        level: Level::Strict,
        allow_connect,
        ..Seal::default()
    };
    seal.mechanisms()
}

fn made(base: &str, mechanisms: &[&'static Mechanism]) -> Value {
    serde_json::from_str(&profile(base, mechanisms).expect("a base")).expect("JSON")
}

/// The action and errno of each rule that names a call.
fn answers(profile: &Value, call: &str) -> Vec<(String, Option<u64>)> {
    let rules = profile["syscalls"].as_array().expect("rules");
    rules
        .iter()
        .filter(|rule| {
            rule["names"]
                .as_array()
                .is_some_and(|n| n.contains(&call.into()))
                || rule["name"] == call
        })
        .map(|rule| {
            let action = rule["action"].as_str().expect("an action");
            (action.to_owned(), rule["errnoRet"].as_u64())
        })
        .collect()
}

#[test]
fn what_a_row_names_is_answered_by_it_alone() {
    let profile = made(BASE, &mechanisms(false));
    for row in ROWS {
        let expected = match row.answer {
            Answer::Refused => Some(EACCES),
            Answer::Absent => Some(ENOSYS),
            Answer::Nothing => Some(0),
            Answer::RefusedWith(bits) => {
                assert_eq!(answers(&profile, row.calls[0]).len(), 1 + bits.len());
                continue;
            }
        };
        for call in row.calls {
            let refused = ("SCMP_ACT_ERRNO".to_owned(), expected);
            assert_eq!(answers(&profile, call), [refused], "{call}");
        }
    }
    let allowed = [("SCMP_ACT_ALLOW".to_owned(), None)];
    for call in ["accept4", "new_call", "sethostname"] {
        assert_eq!(answers(&profile, call), allowed, "{call}");
    }
    assert_eq!(profile["archMap"][0]["subArchitectures"], json!([]));
}

#[test]
fn connect_is_left_alone_where_it_is_accepted() {
    let profile = made(BASE, &mechanisms(true));
    assert_eq!(
        answers(&profile, "connect"),
        [("SCMP_ACT_ALLOW".to_owned(), None)]
    );
    assert_eq!(answers(&profile, "listen")[0].1, Some(0));
}

#[test]
fn a_refusal_is_told_from_the_default() {
    for (default, expected) in [("38", EACCES), ("1", EACCES), ("13", EPERM)] {
        let base = BASE.replace(
            "\"defaultErrnoRet\": 38",
            &format!("\"defaultErrnoRet\": {default}"),
        );
        let profile = made(&base, &mechanisms(false));
        assert_eq!(answers(&profile, "bind")[0].1, Some(expected), "{default}");
    }
}

#[test]
fn what_is_no_base() {
    for (base, message) in [
        ("", "it is not JSON"),
        ("[]", "it is not JSON"),
        ("{}", "it has no \"defaultAction\""),
        (
            r#"{"defaultAction": "SCMP_ACT_ERRNO"}"#,
            "it has no \"syscalls\"",
        ),
        (
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}"#,
            "it answers SCMP_ACT_ALLOW to system calls",
        ),
    ] {
        let error = profile(base, &mechanisms(false)).expect_err(base);
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn every_row_is_of_a_mechanism_of_the_level() {
    for (at, row) in ROWS.iter().enumerate() {
        assert_eq!(row.mechanism.level, Level::Strict);
        for call in row.calls {
            let others = ROWS[..at].iter().flat_map(|row| row.calls);
            assert!(
                !others.into_iter().any(|other| other == call),
                "{call} twice"
            );
        }
    }
}

#[test]
fn a_profile_is_known_until_it_is_edited() {
    let all = mechanisms(false);
    let text = profile(BASE, &all).expect("a base");
    assert!(is_made(&text, &all));
    // It may have been made for a seal that lets more be.
    let weaker = profile(BASE, &mechanisms(true)).expect("a base");
    assert!(!is_made(&weaker, &all) && is_made(&weaker, &mechanisms(true)));
    assert!(!is_made(BASE, &all));
    let mut edited: Value = serde_json::from_str(&text).expect("JSON");
    let rules = edited["syscalls"].as_array_mut().expect("rules");
    rules.push(json!({"names": ["connect"], "action": "SCMP_ACT_ALLOW"}));
    let edited = serde_json::to_string_pretty(&edited).expect("JSON") + "\n";
    assert!(!is_made(&edited, &all));
    assert!(!is_made("", &all));
}
