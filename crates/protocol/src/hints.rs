//! `annotations` of a tool: what its server says of what it does.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::object::member;

/// What a server says of a tool. What it says nothing about is taken for the worse, as the specification wants it
/// (server/tools, `ToolAnnotations`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ToolHints {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something.
    pub destructive: bool,
    /// Called again, it does nothing more.
    pub idempotent: bool,
    /// It reaches beyond its server.
    pub open_world: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    read_only_hint: Option<bool>,
    destructive_hint: Option<bool>,
    idempotent_hint: Option<bool>,
    open_world_hint: Option<bool>,
}

impl Default for ToolHints {
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}

impl ToolHints {
    /// The hints in a tool's JSON text. Hints that cannot be read, or stand there twice, are none.
    #[must_use]
    pub fn of_tool(text: &str) -> Self {
        let written =
            member(text, "annotations").map(RawValue::get).and_then(|a| serde_json::from_str::<Written>(a).ok());
        let Some(written) = written else { return Self::default() };
        let read_only = written.read_only_hint.unwrap_or(false);
        Self {
            read_only,
            // What changes nothing destroys nothing; the hint means something for other tools alone.
            destructive: !read_only && written.destructive_hint.unwrap_or(true),
            idempotent: written.idempotent_hint.unwrap_or(false),
            open_world: written.open_world_hint.unwrap_or(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ToolHints;

    #[test]
    fn auth_5_what_is_not_said_is_the_worse() {
        let of = ToolHints::of_tool;
        assert_eq!(of(r#"{"name":"t"}"#), ToolHints::default());
        let look = of(r#"{"name":"t","annotations":{"readOnlyHint":true,"title":"x"}}"#);
        assert!(look.read_only && !look.destructive && look.open_world);
        let add = of(r#"{"annotations":{"destructiveHint":false,"openWorldHint":false,"idempotentHint":true}}"#);
        assert!(!add.read_only && !add.destructive && !add.open_world && add.idempotent);
        for strange in [
            r#"{"annotations":{"readOnlyHint":"yes"}}"#,
            r#"{"annotations":[true]}"#,
            r#"{"annotations":{"readOnlyHint":false,"readOnlyHint":true}}"#,
            r#"{"description":"{\"annotations\":{\"readOnlyHint\":true}}"}"#,
        ] {
            assert_eq!(of(strange), ToolHints::default(), "{strange}");
        }
    }
}
