//! Resource URIs as the hub shows them where two servers use the same one: `omni://server/` before the original.

use std::borrow::Cow;

const PREFIX: &str = "omni://";
/// Clients take a resource for an interface by its scheme alone (extension `io.modelcontextprotocol/ui`).
const INTERFACE: &str = "ui://";
const INTERFACE_PREFIX: &str = "ui://omni/";

/// The URI (or URI template) under which the hub shows `uri` of `server` when it would collide.
#[must_use]
pub fn hub_uri(server: &str, uri: &str) -> String {
    match uri.strip_prefix(INTERFACE) {
        Some(rest) => format!("{INTERFACE_PREFIX}{server}/{rest}"),
        None => format!("{PREFIX}{server}/{uri}"),
    }
}

/// Takes a URI made by [`hub_uri`] apart. There is one such URI for each thing: another spelling is nobody's.
#[must_use]
pub fn split_hub_uri(uri: &str) -> Option<(&str, Cow<'_, str>)> {
    if let Some(rest) = uri.strip_prefix(INTERFACE_PREFIX) {
        return rest.split_once('/').map(|(server, rest)| (server, Cow::Owned(format!("{INTERFACE}{rest}"))));
    }
    let (server, rest) = uri.strip_prefix(PREFIX)?.split_once('/')?;
    (!rest.starts_with(INTERFACE)).then_some((server, Cow::Borrowed(rest)))
}

#[cfg(test)]
mod tests {
    use super::{hub_uri, split_hub_uri};

    #[test]
    fn there_and_back() {
        for uri in ["file:///a/b?c#d", "test://x/{id}/y", "memo:x", "", "ui://a/b", "ui://", "ui://omni/x/y"] {
            assert_eq!(split_hub_uri(&hub_uri("my_srv", uri)), Some(("my_srv", uri.into())));
        }
        assert!(hub_uri("s", "ui://a/b").starts_with("ui://"));
        assert_eq!(split_hub_uri("file:///a"), None);
        assert_eq!(split_hub_uri("omni://s/ui://a/b"), None, "the hub shows it as ui://omni/s/a/b");
    }
}
