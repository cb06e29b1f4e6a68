//! `podseal demo`

use crate::cli::Demo;

pub(super) fn run(_: &Demo) -> u8 {
    0
}
