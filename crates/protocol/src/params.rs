//! The members of `params` that the hub must know to route a request; nothing else is taken apart.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::{Message, present, range_of};
use crate::meta::RequestMeta;
use crate::params_error::{ParamsError, without_position};

/// What the hub reads of a request's `params`.
#[derive(Debug, Clone, Default)]
pub struct Params {
    /// `name` of tools and prompts, or of a completion's prompt.
    pub name: Option<String>,
    /// Where the JSON text of that name lies in the message.
    pub name_range: Option<Range<usize>>,
    /// `uri` of a resource, or of a completion's template.
    pub uri: Option<String>,
    /// Where the JSON text of that URI lies in the message.
    pub uri_range: Option<Range<usize>>,
    /// `cursor` of a list.
    pub cursor: Option<String>,
    /// `level` of `logging/setLevel`.
    pub level: Option<String>,
    /// The JSON text of `requestId` in `notifications/cancelled`.
    pub request_id: Option<String>,
    /// Where `arguments` lie in the message.
    pub arguments_range: Option<Range<usize>>,
    /// Where `notifications`, the filter of `subscriptions/listen`, lies in the message.
    pub notifications_range: Option<Range<usize>>,
    /// `_meta`.
    pub meta: Option<RequestMeta>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Raw<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cursor: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    level: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "ref")]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "requestId", deserialize_with = "present")]
    request_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    notifications: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta", deserialize_with = "present")]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Reference<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
}

impl Params {
    /// Reads what the hub needs of `message`'s parameters.
    ///
    /// # Errors
    /// When a member has the wrong type, or stands there twice.
    pub fn parse(message: &Message) -> Result<Self, ParamsError> {
        let Some(text) = message.params() else { return Ok(Self::default()) };
        let whole = message.bytes();
        let wrong = |e: serde_json::Error| ParamsError(format!("params: {}", without_position(&e)));
        let raw: Raw<'_> = serde_json::from_str(text).map_err(wrong)?;
        let mut params = Self::default();
        let (mut name, mut uri) = (raw.name, raw.uri);
        if let Some(reference) = raw.reference {
            let inner: Reference<'_> = serde_json::from_str(reference.get()).map_err(wrong)?;
            name = name.or(inner.name);
            uri = uri.or(inner.uri);
        }
        if let Some(value) = name {
            params.name = Some(string(value, "params.name")?);
            params.name_range = Some(range_of(whole, value.get()));
        }
        if let Some(value) = uri {
            params.uri = Some(string(value, "params.uri")?);
            params.uri_range = Some(range_of(whole, value.get()));
        }
        params.cursor = raw.cursor.map(Cow::into_owned);
        params.level = raw.level.map(Cow::into_owned);
        params.request_id = raw.request_id.map(|v| v.get().to_owned());
        params.arguments_range = raw.arguments.map(|v| range_of(whole, v.get()));
        params.notifications_range = raw.notifications.map(|v| range_of(whole, v.get()));
        params.meta = raw.meta.map(|v| RequestMeta::parse(whole, v)).transpose()?;
        Ok(params)
    }
}

fn string(value: &RawValue, what: &str) -> Result<String, ParamsError> {
    serde_json::from_str(value.get()).map_err(|_| ParamsError(format!("{what} must be a string")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;

    use super::Params;
    use crate::Message;

    fn params(text: &'static str) -> Result<Params, super::ParamsError> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{text}}}"#);
        Params::parse(&Message::parse(Bytes::from(body)).unwrap())
    }

    #[test]
    fn reads_what_routing_needs() {
        let found = params(r#"{"name":"a\u0062","arguments":{"x":1},"other":null}"#).unwrap();
        assert_eq!(found.name.as_deref(), Some("ab"));
        assert!(found.arguments_range.is_some());
        assert_eq!(params(r#"{"ref":{"type":"ref/prompt","name":"p"}}"#).unwrap().name.as_deref(), Some("p"));
        let meta = params(r#"{"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#);
        let meta = meta.unwrap().meta.unwrap();
        assert_eq!(meta.progress_token.as_deref(), Some("7"));
        assert_eq!(meta.protocol_version.as_deref(), Some("2026-07-28"));
    }

    /// VAL-1: a name that stands there twice could be judged by one and forwarded by the other.
    #[test]
    fn twice_is_refused() {
        for text in [
            r#"{"name":"a","name":"b"}"#,
            r#"{"name":"a","n\u0061me":"b"}"#,
            r#"{"uri":"a","uri":"b"}"#,
            r#"{"_meta":{},"_meta":{}}"#,
            r#"{"name":1}"#,
            r#"{"_meta":[]}"#,
        ] {
            assert!(params(text).is_err(), "{text}");
        }
    }
}
