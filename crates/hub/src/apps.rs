//! MCP Apps (extension `io.modelcontextprotocol/ui`): a tool names the resource that shows it. Where two servers use the
//! same `ui://` URI, the tool has to name the one under which clients find its own.

use omni_protocol::{Splice, member};

use crate::rewrite::Shown;

/// The tool with the URI of its interface replaced; `None` when it names none, or one that leads to the right place.
pub(crate) fn rewrite_interface(tool: &str, shown: Shown<'_>) -> Option<String> {
    if !tool.contains("ui://") {
        return None;
    }
    let meta = member(tool, "_meta")?;
    // Nested, or flat as the first drafts had it.
    let nested = member(meta.get(), "ui").and_then(|ui| member(ui.get(), "resourceUri"));
    let flat = member(meta.get(), "ui/resourceUri");
    let mut splice = Splice::new();
    for raw in nested.into_iter().chain(flat) {
        let Ok(uri) = serde_json::from_str::<String>(raw.get()) else { continue };
        if let Some(other) = shown(&uri) {
            let start = raw.get().as_ptr() as usize - tool.as_ptr() as usize;
            splice.replace(start..start + raw.get().len(), serde_json::Value::from(other).to_string().into_bytes());
        }
    }
    if splice.is_empty() { None } else { String::from_utf8(splice.apply(tool.as_bytes())).ok() }
}

#[cfg(test)]
mod tests {
    use super::rewrite_interface;

    #[test]
    fn tool_1_a_tool_names_the_interface_of_its_own_server() {
        let shown = |uri: &str| (uri == "ui://a/x").then(|| "ui://omni/s/a/x".to_owned());
        let tool =
            r#"{"name":"t","n":1.50,"_meta":{"ui":{"resourceUri":"ui://a/x","v":1},"ui/resourceUri":"ui://a/x"}}"#;
        let told = r#"{"name":"t","n":1.50,"_meta":{"ui":{"resourceUri":"ui://omni/s/a/x","v":1},"ui/resourceUri":"ui://omni/s/a/x"}}"#;
        assert_eq!(rewrite_interface(tool, &shown).as_deref(), Some(told));
        for other in [
            r#"{"_meta":{"ui":{"resourceUri":"ui://b"}}}"#,
            r#"{"description":"ui://a/x"}"#,
            r#"{"_meta":1,"x":"ui://"}"#,
        ] {
            assert_eq!(rewrite_interface(other, &shown), None, "{other}");
        }
    }
}
