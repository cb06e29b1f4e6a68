//! JSON schemas of what podseal prints.

use podseal_core::unit::effective::document::Document;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::DocsError;

/// That of `podseal show`.
pub(super) fn show() -> Result<Vec<u8>, DocsError> {
    schema::<Document>("podseal show")
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
