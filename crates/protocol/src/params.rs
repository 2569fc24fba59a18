//! The members of `params` that the hub must know to route a request; nothing else is taken apart.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::alike::alike_in;
use crate::glance::{Shape, is_plain_string};
use crate::message::{Message, present, range_of};
use crate::meta::RequestMeta;
use crate::method::Method;
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
    /// Where `argument` and `context` of a completion lie in the message.
    pub completion_ranges: [Option<Range<usize>>; 2],
    /// Where `notifications`, the filter of `subscriptions/listen`, lies in the message.
    pub notifications_range: Option<Range<usize>>,
    /// `requestState` of a call that is made again (2026-07-28).
    pub request_state: Option<String>,
    /// Where `inputResponses`, the answers to what the server asked, lie in the message (2026-07-28).
    pub input_responses_range: Option<Range<usize>>,
    /// `taskId` of a request about a task.
    pub task_id: Option<String>,
    /// Where the JSON text of that id lies in the message.
    pub task_id_range: Option<Range<usize>>,
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
    argument: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    context: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    notifications: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "requestState")]
    request_state: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "inputResponses", deserialize_with = "present")]
    input_responses: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "taskId")]
    task_id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta", deserialize_with = "present")]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Reference<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
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
        if let Some(params) = message.shape().and_then(|shape| Self::of(message, shape)) {
            return Ok(params);
        }
        Self::parse_exactly(message, text)
    }

    /// From what a glance has found; `None` where a member is not what it usually is.
    pub(crate) fn of(message: &Message, shape: &Shape) -> Option<Self> {
        let text = message.text();
        let mut params = Self::default();
        let (by_name, by_uri) = match message.method() {
            Some(Method::ToolsCall | Method::PromptsGet) => (true, false),
            Some(Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe) => (false, true),
            Some(Method::Complete) => return None,
            _ => (false, false),
        };
        for member in &shape.members {
            let (name, value) = (&text[member.name.clone()], &text[member.value.clone()]);
            let plain = || is_plain_string(value.as_bytes()).then(|| value[1..value.len() - 1].to_owned());
            let place = || Some(member.value.clone());
            match name {
                _ if member.in_meta => params.meta.get_or_insert_default().read(name, value, &member.value),
                "name" if by_name => (params.name, params.name_range) = (Some(plain()?), place()),
                "uri" if by_uri => (params.uri, params.uri_range) = (Some(plain()?), place()),
                "cursor" => params.cursor = Some(plain()?),
                "level" => params.level = Some(plain()?),
                "requestId" => params.request_id = Some(value.to_owned()),
                "arguments" => params.arguments_range = place(),
                "notifications" => params.notifications_range = place(),
                "_meta" if value.starts_with('{') => {
                    params.meta.get_or_insert_default().range = member.value.clone();
                }
                // Of anything else the exact reader knows what to make, today and when it has learned more.
                _ => return None,
            }
        }
        Some(params)
    }

    pub(crate) fn parse_exactly(message: &Message, text: &str) -> Result<Self, ParamsError> {
        let whole = message.bytes();
        let wrong = |e: serde_json::Error| ParamsError(format!("params: {}", without_position(&e)));
        let raw: Raw<'_> = serde_json::from_str(text).map_err(wrong)?;
        unmistakable(text, "params")?;
        let mut params = Self::default();
        // Each method has one place for the name it calls, and only that place is read, judged and rewritten: a server that
        // looks elsewhere finds nothing that policy did not see.
        let (name, uri) = match message.method() {
            Some(Method::ToolsCall | Method::PromptsGet) => (raw.name, None),
            Some(Method::ResourcesRead | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe) => (None, raw.uri),
            Some(Method::Complete) => reference(raw.reference, raw.name.is_some() || raw.uri.is_some())?,
            _ => (None, None),
        };
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
        if message.method() == Some(&Method::Complete) {
            params.completion_ranges = [raw.argument, raw.context].map(|v| v.map(|v| range_of(whole, v.get())));
        }
        params.notifications_range = raw.notifications.map(|v| range_of(whole, v.get()));
        params.request_state = raw.request_state.map(Cow::into_owned);
        params.input_responses_range = raw.input_responses.map(|v| range_of(whole, v.get()));
        if let Some(value) = raw.task_id {
            params.task_id = Some(string(value, "params.taskId")?);
            params.task_id_range = Some(range_of(whole, value.get()));
        }
        params.meta = raw.meta.map(|v| RequestMeta::parse(whole, v)).transpose()?;
        Ok(params)
    }
}

/// Members by which a request is judged and routed.
const JUDGED: [&str; 6] = ["name", "uri", "ref", "type", "arguments", "taskId"];

/// Refuses what a server could take for a member by which the hub judges, and the hub does not.
fn unmistakable(text: &str, what: &str) -> Result<(), ParamsError> {
    match alike_in(text, &JUDGED) {
        Some(name) => {
            let why =
                format!("{what}: member `{name}` could be taken for another one, which differs in the case of letters");
            Err(ParamsError(why))
        }
        None => Ok(()),
    }
}

/// What a completion is about: a prompt by its name, or a template by its URI, never both.
fn reference(value: Option<&RawValue>, beside: bool) -> Result<(Option<&RawValue>, Option<&RawValue>), ParamsError> {
    let wrong = |why: &str| Err(ParamsError(format!("params.ref: {why}")));
    let Some(value) = value else { return wrong("is missing") };
    if beside {
        return wrong("only the reference may hold `name` or `uri`");
    }
    if !value.get().starts_with('{') {
        return wrong("must be an object");
    }
    let inner: Reference<'_> =
        serde_json::from_str(value.get()).map_err(|e| ParamsError(format!("params.ref: {}", without_position(&e))))?;
    unmistakable(value.get(), "params.ref")?;
    match (inner.kind.as_deref(), inner.name, inner.uri) {
        (Some("ref/prompt"), Some(name), None) => Ok((Some(name), None)),
        (Some("ref/resource"), None, Some(uri)) => Ok((None, Some(uri))),
        _ => {
            wrong("must be of type `ref/prompt` with a `name`, or `ref/resource` with a `uri`, and hold only that one")
        }
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
    use crate::{Message, ParamsError};

    fn of(method: &str, text: &str) -> Result<Params, ParamsError> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{text}}}"#);
        Params::parse(&Message::parse(Bytes::from(body)).unwrap())
    }

    fn params(text: &str) -> Result<Params, ParamsError> {
        of("tools/call", text)
    }

    #[test]
    fn reads_what_routing_needs() {
        let found = params(r#"{"name":"a\u0062","arguments":{"x":1},"other":null}"#).unwrap();
        assert_eq!(found.name.as_deref(), Some("ab"));
        assert!(found.arguments_range.is_some());
        let meta = params(r#"{"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#);
        let meta = meta.unwrap().meta.unwrap();
        assert_eq!(meta.progress_token.as_deref(), Some("7"));
        assert_eq!(meta.protocol_version.as_deref(), Some("2026-07-28"));
    }

    /// TOOL-2: what is judged is what is forwarded, so there is one place for the name and no second one beside it.
    #[test]
    fn one_place_for_the_name() {
        let prompt = of("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"}}"#).unwrap();
        assert_eq!((prompt.name.as_deref(), prompt.uri), (Some("p"), None));
        let template = of("completion/complete", r#"{"ref":{"type":"ref/resource","uri":"u:x"}}"#).unwrap();
        assert_eq!((template.name, template.uri.as_deref()), (None, Some("u:x")));
        for text in [
            r#"{"name":"ok","ref":{"type":"ref/prompt","name":"secret"}}"#,
            r#"{"uri":"ok","ref":{"type":"ref/resource","uri":"secret"}}"#,
            r#"{"ref":{"type":"ref/resource","uri":"e://denied","name":"ok"}}"#,
            r#"{"ref":{"type":"ref/prompt","uri":"e://x"}}"#,
            r#"{"ref":{"name":"p"}}"#,
            r#"{"ref":["ref/prompt","p"]}"#,
            r#"{}"#,
        ] {
            assert!(of("completion/complete", text).is_err(), "{text}");
        }
        let call = params(r#"{"ref":{"type":"ref/prompt","name":"x"},"uri":"u:x","name":"t"}"#).unwrap();
        assert_eq!((call.name.as_deref(), call.uri), (Some("t"), None));
        let read = of("resources/read", r#"{"name":"x","uri":"u:x"}"#).unwrap();
        assert_eq!((read.name, read.uri.as_deref()), (None, Some("u:x")));
    }

    /// TOOL-2: a server that reads members whatever their case takes the last of them.
    #[test]
    fn no_second_place_by_another_case() {
        for text in [
            r#"{"name":"a","Name":"b"}"#,
            r#"{"Name":"b","name":"a","arguments":{}}"#,
            r#"{"name":"a","arguments":{"x":1},"Arguments":{"x":2}}"#,
            r#"{"name":"a","N\u0041ME":"b"}"#,
        ] {
            assert!(params(text).is_err(), "{text}");
        }
        assert!(of("resources/read", r#"{"uri":"u:a","URI":"u:b"}"#).is_err());
        assert!(of("tasks/get", r#"{"taskId":"a","taskID":"b"}"#).is_err());
        assert!(of("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p","Name":"q"}}"#).is_err());
        assert!(of("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"p"},"Ref":{}}"#).is_err());
        // What a tool calls its arguments is its own matter.
        assert!(params(r#"{"name":"a","arguments":{"Name":1,"name":2}}"#).is_ok());
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
