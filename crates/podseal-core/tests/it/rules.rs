//! `docs/rules.md` is what the table of rules says.

use std::fs;

use podseal_core::audit::document::markdown;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md");

/// With `PODSEAL_TEST_WRITE` in the environment it is written.
#[test]
fn the_document_is_that_of_the_table() {
    if std::env::var_os("PODSEAL_TEST_WRITE").is_some() {
        fs::write(PATH, markdown()).unwrap();
    }
    let is_same = fs::read_to_string(PATH).unwrap_or_default() == markdown();
    assert!(
        is_same,
        "docs/rules.md is stale: PODSEAL_TEST_WRITE=1 cargo test -p podseal-core --test it rules"
    );
}
