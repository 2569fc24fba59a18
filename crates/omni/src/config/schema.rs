//! The JSON Schema of `omni.yaml`, made from the settings themselves.

use schemars::generate::SchemaSettings;

use crate::config::settings::Settings;

/// The schema as a value, as written (what a file may say), not as serialized.
pub(crate) fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Settings>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "omni.yaml".into());
    }
    schema
}

/// The schema as it is printed and committed.
pub(crate) fn schema_text() -> String {
    format!("{:#}\n", schema())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CFG: the schema may not change silently; `omni schema > docs/omni.schema.json` renews it.
    #[test]
    fn the_committed_schema_is_the_one_that_is_made() {
        let committed = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/omni.schema.json"));
        assert!(
            committed == schema_text(),
            "run `cargo run -p omni -- schema > docs/omni.schema.json` and look at the diff"
        );
    }
}
