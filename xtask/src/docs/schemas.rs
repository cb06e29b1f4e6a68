//! JSON schemas of what podseal prints.

use podseal_core::doctor::document::Document as DoctorDocument;
use podseal_core::status::document::Document as StatusDocument;
use podseal_core::unit::effective::document::Document as ShowDocument;
use podseal_core::verify::document::Document as VerifyDocument;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::DocsError;

/// That of `podseal show`.
pub(super) fn show() -> Result<Vec<u8>, DocsError> {
    schema::<ShowDocument>("podseal show")
}

/// That of `podseal doctor`.
pub(super) fn doctor() -> Result<Vec<u8>, DocsError> {
    schema::<DoctorDocument<'static>>("podseal doctor")
}

/// That of `podseal list` and `podseal status`.
pub(super) fn status() -> Result<Vec<u8>, DocsError> {
    schema::<StatusDocument>("podseal status")
}

/// That of `podseal verify`.
pub(super) fn verify() -> Result<Vec<u8>, DocsError> {
    schema::<VerifyDocument>("podseal verify")
}

/// That of `podseal explain`.
pub(super) fn explain() -> Result<Vec<u8>, DocsError> {
    schema::<podseal_core::explain::document::Document>("podseal explain")
}

/// The schema of a type as it is written, not as it would be read.
fn schema<T: JsonSchema>(title: &str) -> Result<Vec<u8>, DocsError> {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    let mut text =
        serde_json::to_vec_pretty(&schema).map_err(|source| DocsError::Schema { source })?;
    text.push(b'\n');
    Ok(text)
}
