//! Resource URIs as the hub shows them where two servers use the same one: `omni://server/` before the original.

const PREFIX: &str = "omni://";

/// The URI (or URI template) under which the hub shows `uri` of `server` when it would collide.
#[must_use]
pub fn hub_uri(server: &str, uri: &str) -> String {
    format!("{PREFIX}{server}/{uri}")
}

/// Takes a URI made by [`hub_uri`] apart.
#[must_use]
pub fn split_hub_uri(uri: &str) -> Option<(&str, &str)> {
    uri.strip_prefix(PREFIX)?.split_once('/')
}

#[cfg(test)]
mod tests {
    use super::{hub_uri, split_hub_uri};

    #[test]
    fn there_and_back() {
        for uri in ["file:///a/b?c#d", "test://x/{id}/y", "memo:x", ""] {
            assert_eq!(split_hub_uri(&hub_uri("my_srv", uri)), Some(("my_srv", uri)));
        }
        assert_eq!(split_hub_uri("file:///a"), None);
    }
}
