use std::time::Duration;

use podseal_core::unit::time_span::TimeSpan;

use crate::table::{check_rows, json_text, same};

#[test]
fn time_span() {
    check_rows(include_str!("../conformance/time-span.tsv"), |row| {
        let [parser, input, result, micros] = row else {
            return Err("not four columns".to_owned());
        };
        let input = json_text(input);
        let found = match *parser {
            "parse_sec" => TimeSpan::parse_seconds(&input),
            "parse_sec_fix_0" => TimeSpan::parse_seconds_zero_is_infinity(&input),
            "parse_sec_def_infinity" => TimeSpan::parse_seconds_empty_is_infinity(&input),
            other => return Err(format!("unknown parser {other}")),
        };
        let expected = match (*result, *micros) {
            ("error", _) => None,
            (_, "infinity") => Some(TimeSpan::Infinity),
            (_, micros) => {
                let micros = micros.parse().map_err(|e| format!("{e}"))?;
                Some(TimeSpan::Finite(Duration::from_micros(micros)))
            }
        };
        same(&found.ok(), &expected)
    });
}
