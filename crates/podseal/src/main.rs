//! podseal.
fn main() {}
