//! The report as one page.

use podseal_core::verify::document::Document;

pub(super) fn page(document: &Document) -> String {
    super::human::headline(document)
}
