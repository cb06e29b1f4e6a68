//! Any bytes: reading never panics, keeps every byte, and edits touch only
//! what they should.
//!
//! `cargo +nightly fuzz run unit_file` in `crates/podseal-core`.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use podseal_core::unit::effective::Scope;
use podseal_core::unit::effective::merge::{Merged, Source};
use podseal_core::unit::effective::service::Service;
use podseal_core::unit::effective::socket::Socket;
use podseal_core::unit::file::UnitFile;
use podseal_core::unit::specifier::Specifiers;

fuzz_target!(|text: &[u8]| {
    let file = UnitFile::parse(text);
    assert_eq!(file.as_bytes(), text);

    let host = BTreeMap::new();
    let source = Source {
        path: "fuzz".to_owned(),
        file: file.clone(),
    };
    for name in ["fuzz@x.service", "fuzz@x.socket"] {
        let unit = name.parse().expect("a valid name");
        let specifiers = Specifiers {
            unit: &unit,
            fragment: None,
            host: &host,
        };
        let merged = Merged::new(&source, &[], &specifiers);
        let _ = Service::new(merged.clone(), &specifiers, Scope::User);
        let _ = Socket::new(merged, &specifiers, Scope::User);
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
