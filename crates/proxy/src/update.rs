//! Reading a `notifications/resources/updated`.

use omni_protocol::{Message, members, meta_keys, object_with, without_members};

/// Bytes of a notification whose members are passed on; of a larger one only the URI is.
const PASSED_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a URI.
pub(crate) const URI_BYTES_MAX: usize = 16 * 1024;

/// What a server says of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Updated {
    pub(crate) uri: String,
    /// JSON text of the parameters without the id of the hub's subscription; `None` where they are too large.
    pub(crate) params: Option<String>,
}

/// What `message` says; `None` when it names no resource.
pub(crate) fn updated(message: &Message) -> Option<Updated> {
    let params = message.params()?;
    let found = members(params).ok()?;
    let (_, uri) = found.iter().find(|(key, _)| key == "uri")?;
    let uri: String = serde_json::from_str(uri.get()).ok()?;
    if uri.len() > URI_BYTES_MAX {
        return None;
    }
    if params.len() > PASSED_BYTES_MAX {
        return Some(Updated { uri, params: None });
    }
    let meta = found.iter().find(|(key, _)| key == "_meta").map(|(_, meta)| meta.get());
    let params = match meta {
        Some(meta) if meta.contains(meta_keys::SUBSCRIPTION_ID) => {
            let kept = without_members(meta, |key| key == meta_keys::SUBSCRIPTION_ID).ok()?;
            let rest = without_members(params, |key| key == "_meta").ok()?;
            let is_empty = members(&kept).is_ok_and(|kept| kept.is_empty());
            if is_empty { rest } else { object_with(&rest, &format!("\"_meta\":{kept}")) }
        }
        _ => params.to_owned(),
    };
    Some(Updated { uri, params: Some(params) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_protocol::Message;

    use super::{Updated, updated};

    fn read(params: &str) -> Option<Updated> {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{params}}}"#);
        updated(&Message::parse(text.into_bytes().into()).unwrap())
    }

    #[test]
    fn everything_but_the_hubs_own_subscription_is_passed_on() {
        let params = |text: &str| read(text).unwrap().params.unwrap();
        assert_eq!(params(r#"{"uri":"a:b","title":"T"}"#), r#"{"uri":"a:b","title":"T"}"#);
        let tagged = r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"uri":"a:b","n":1.50}"#;
        assert_eq!(params(tagged), r#"{"uri":"a:b","n":1.50}"#);
        let more = r#"{"_meta":{"x":1,"io.modelcontextprotocol/subscriptionId":7},"uri":"a:b"}"#;
        assert_eq!(params(more), r#"{"_meta":{"x":1},"uri":"a:b"}"#);
        assert_eq!(read(r#"{"url":"a:b"}"#), None);
    }
}
