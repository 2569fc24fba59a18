//! URIs within results: where clients find them again, they must be the ones that lead back (section 1.2 of our
//! protocol notes). Everything else stays as it was written.

use omni_protocol::{Method, Splice};
use serde::Deserialize;
use serde_json::value::RawValue;

/// URIs of one result that are looked up; further ones stay as they are.
const URIS_MAX: usize = 1_000;

/// What one URI is replaced by, if by anything.
pub(crate) type Shown<'a> = &'a dyn Fn(&str) -> Option<String>;

#[derive(Deserialize)]
struct Contents<'a> {
    #[serde(borrow, default)]
    contents: Vec<Held<'a>>,
    #[serde(borrow, default)]
    content: Vec<Block<'a>>,
    #[serde(borrow, default)]
    messages: Vec<PromptMessage<'a>>,
}

#[derive(Deserialize)]
struct Held<'a> {
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resource: Option<Held<'a>>,
}

#[derive(Deserialize)]
struct PromptMessage<'a> {
    #[serde(borrow, default)]
    content: Option<Block<'a>>,
}

/// The result with its URIs replaced; `None` when none has to be.
pub(crate) fn rewrite_uris(method: &Method, result: &str, shown: Shown<'_>) -> Option<String> {
    let found: Contents<'_> = serde_json::from_str(result).ok()?;
    let mut uris: Vec<&RawValue> = Vec::new();
    match method {
        Method::ResourcesRead => uris.extend(found.contents.iter().filter_map(|held| held.uri)),
        Method::ToolsCall => found.content.iter().for_each(|block| collect(block, &mut uris)),
        Method::PromptsGet => {
            found.messages.iter().filter_map(|m| m.content.as_ref()).for_each(|block| collect(block, &mut uris));
        }
        _ => {}
    }
    let mut splice = Splice::new();
    for raw in uris.into_iter().take(URIS_MAX) {
        let uri: String = serde_json::from_str(raw.get()).ok()?;
        if let Some(other) = shown(&uri) {
            let start = raw.get().as_ptr() as usize - result.as_ptr() as usize;
            splice.replace(start..start + raw.get().len(), serde_json::Value::from(other).to_string().into_bytes());
        }
    }
    if splice.is_empty() { None } else { String::from_utf8(splice.apply(result.as_bytes())).ok() }
}

fn collect<'a>(block: &Block<'a>, uris: &mut Vec<&'a RawValue>) {
    match block.kind.as_deref() {
        Some("resource_link") => uris.extend(block.uri),
        Some("resource") => uris.extend(block.resource.as_ref().and_then(|r| r.uri)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use omni_protocol::Method;

    use super::rewrite_uris;

    #[test]
    fn only_uris_that_lead_back_are_touched() {
        let shown = |uri: &str| (uri == "file:///a").then(|| "omni://s/file:///a".to_owned());
        let tool = r#"{"content":[{"type":"resource_link","uri":"file:///a","n":1.0},{"type":"text","text":"\"uri\":\"file:///a\"","uri":"file:///a"},{"type":"resource","resource":{"uri":"file:///a"}}],"structuredContent":{"uri":"file:///a"}}"#;
        let rewritten = rewrite_uris(&Method::ToolsCall, tool, &shown);
        assert_eq!(
            rewritten.as_deref(),
            Some(
                r#"{"content":[{"type":"resource_link","uri":"omni://s/file:///a","n":1.0},{"type":"text","text":"\"uri\":\"file:///a\"","uri":"file:///a"},{"type":"resource","resource":{"uri":"omni://s/file:///a"}}],"structuredContent":{"uri":"file:///a"}}"#
            )
        );
        assert_eq!(rewrite_uris(&Method::ResourcesRead, r#"{"contents":[{"uri":"file:///b"}]}"#, &shown), None);
        assert!(rewrite_uris(&Method::ResourcesRead, r#"{"contents":[{"uri":"file:///a"}]}"#, &shown).is_some());
    }
}
