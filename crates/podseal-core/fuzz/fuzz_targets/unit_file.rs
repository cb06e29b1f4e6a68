//! Any bytes: parsing never panics, keeps every byte, and edits touch only
//! what they should.
//!
//! `cargo +nightly fuzz run unit_file` in `crates/podseal-core`.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use podseal_core::unit::exec::parse_exec;
use podseal_core::unit::families::AddressFamiliesReader;
use podseal_core::unit::file::UnitFile;
use podseal_core::unit::specifier::Specifiers;
use podseal_core::unit::time_span::TimeSpan;

fuzz_target!(|text: &[u8]| {
    let file = UnitFile::parse(text);
    assert_eq!(file.as_bytes(), text);

    let unit = "fuzz@x.service".parse().expect("a valid name");
    let host = BTreeMap::new();
    let specifiers = Specifiers {
        unit: &unit,
        fragment: None,
        host: &host,
    };
    let mut families = AddressFamiliesReader::default();
    for setting in file.settings() {
        let _ = parse_exec(setting.value, &specifiers);
        let _ = families.line(setting.value);
        let _ = TimeSpan::parse_seconds(setting.value);
        let _ = setting
            .value
            .parse::<podseal_core::socket_address::SocketAddress>();
    }

    let Some(first) = file.settings().next() else {
        return;
    };
    let (section, key) = (first.section.to_owned(), first.key.to_owned());
    for value in ["", "value", "odd\\"] {
        let mut edited = file.clone();
        if edited.set(&section, &key, value).is_ok() {
            let values: Vec<&str> = edited.values(&section, &key).map(|s| s.value).collect();
            assert_eq!(values, [value]);
        }
        let mut edited = file.clone();
        if edited.append(&section, &key, value).is_ok() {
            assert!(edited.as_bytes().len() > text.len());
        }
    }
});
