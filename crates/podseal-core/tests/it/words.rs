use podseal_core::unit::words::{Flags, Words};

use crate::table::{check_rows, json_text, same};

/// Rows whose token belongs to another input than the row names: the table took
/// the last assertion of a run of cases that reuse one variable.
const MIXED_UP: &[(&str, &str)] = &[
    ("44", "\"c\""),
    ("66", "\"test4@/pure/path/like/data.service\""),
];

fn flag(name: &str) -> Flags {
    match name {
        "0" => Flags::NONE,
        "RELAX" => Flags::RELAX,
        "CUNESCAPE" => Flags::CUNESCAPE,
        "UNESCAPE_RELAX" => Flags::UNESCAPE_RELAX,
        "UNESCAPE_SEPARATORS" => Flags::UNESCAPE_SEPARATORS,
        "KEEP_QUOTE" => Flags::KEEP_QUOTE,
        "UNQUOTE" => Flags::UNQUOTE,
        "DONT_COALESCE_SEPARATORS" => Flags::DONT_COALESCE_SEPARATORS,
        "RETAIN_ESCAPE" => Flags::RETAIN_ESCAPE,
        "RETAIN_SEPARATORS" => Flags::RETAIN_SEPARATORS,
        other => panic!("unknown flag {other}"),
    }
}

#[test]
fn extract_first_word() {
    check_rows(
        include_str!("../conformance/extract-first-word.tsv"),
        |row| {
            let [case, input, step, separators, flags, result, token] = row else {
                return Err("not seven columns".to_owned());
            };
            if MIXED_UP.contains(&(*case, *token)) {
                return Ok(());
            }
            let input = json_text(input);
            let separators: Vec<char> = match *separators {
                "default-whitespace" => vec![' ', '\t', '\n', '\r'],
                other => json_text(other).chars().collect(),
            };
            let flags = flags.split('|').map(flag).fold(Flags::NONE, |a, b| a | b);
            let step: usize = step.parse().map_err(|e| format!("{e}"))?;
            let mut words = Words::new(&input);
            for _ in 1..step {
                // An error in an earlier step is another row's.
                let _ = words.next_separated(&separators, flags);
            }
            let found = words.next_separated(&separators, flags);
            match *result {
                "word" => same(&found, &Ok(Some(json_text(token)))),
                "end" => same(&found, &Ok(None)),
                "EINVAL" => same(&found.is_err(), &true),
                other => Err(format!("unknown result {other}")),
            }
        },
    );
}
