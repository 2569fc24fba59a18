//! One JSON-RPC message: its bytes, and where its members lie in them.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Buf as _, Bytes};
use bytestring::ByteString;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::alike::alike_in;
use crate::glance::{ENVELOPE, Glance, Shape, glance};
use crate::method::Method;
use crate::object::{Splice, member, might_have};
use crate::outline::{Outline, Spelling};

/// A JSON-RPC 2.0 message, kept as the bytes it came in.
///
/// The envelope is parsed once; arguments and results are never taken apart here, so numbers, key order and unknown
/// members stay as they were written.
#[derive(Debug, Clone)]
pub struct Message {
    text: ByteString,
    id: Option<Range<usize>>,
    method: Option<Method>,
    params: Option<Range<usize>>,
    result: Option<Range<usize>>,
    error: Option<Range<usize>>,
    /// Of the parameters, where a glance was enough.
    shape: Option<Box<Shape>>,
    outline: Outline,
    spelling: Spelling,
}

/// Bytes from which on a message is changed where it lies rather than copied, and of what is moved for that.
const CHANGED_BYTES_MIN: usize = 16 * 1024;
const MOVED_BYTES_MAX: usize = 1024;

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Asks for an answer.
    Request,
    /// Asks for none.
    Notification,
    /// An answer, good or bad.
    Response,
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not JSON at all, or not UTF-8.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// A JSON array: batches were part of revision 2025-03-26 alone.
    #[error("batches of messages belong to sessions of revision 2025-03-26 alone; send one message a request")]
    Batch,
    /// JSON, but no proper JSON-RPC 2.0 message.
    #[error("not a JSON-RPC 2.0 message: {0}")]
    Invalid(String),
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Raw<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// Tells `null` from a missing member, which `Option` alone does not.
pub(crate) fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Where `part`, a borrowed piece of `whole`, lies in it.
pub(crate) fn range_of(whole: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

impl Message {
    /// Reads the envelope of `bytes`.
    ///
    /// # Errors
    /// When they are no single JSON-RPC 2.0 message, or a member of the envelope stands there twice.
    pub fn parse(bytes: Bytes) -> Result<Self, MessageError> {
        let text = ByteString::try_from(bytes).map_err(|e| MessageError::NotJson(e.to_string()))?;
        let message = match glance(&text) {
            Some(glance) if glance.jsonrpc.clone().is_some_and(|place| &text[place] == "\"2.0\"") => {
                Self::of(text, glance)
            }
            _ => Self::parse_exactly(text)?,
        };
        message.check()?;
        Ok(message)
    }

    pub(crate) fn of(text: ByteString, glance: Glance) -> Self {
        let Glance { id, method, params, result, error, shape, outline, spelling, .. } = glance;
        let method = method.map(|place| Method::parse(&text[place.start + 1..place.end - 1]));
        Self { id, method, params, result, error, shape: shape.map(Box::new), outline, spelling, text }
    }

    /// Reads what is out of the ordinary, and says what is wrong where something is.
    pub(crate) fn parse_exactly(text: ByteString) -> Result<Self, MessageError> {
        // serde reads a struct out of an array too: `["2.0", 1, "ping"]` would be a message.
        if text.trim_start().starts_with('[') {
            return Err(array(&text));
        }
        let raw: Raw<'_> = serde_json::from_str(&text).map_err(|e| classify(&e))?;
        if raw.jsonrpc.as_deref() != Some("2.0") {
            return Err(MessageError::Invalid("member `jsonrpc` must be \"2.0\"".to_owned()));
        }
        if let Some(name) = alike_in(&text, &ENVELOPE) {
            return Err(MessageError::Invalid(format!(
                "member `{name}` could be taken for another one: write it small"
            )));
        }
        let lies = |part: Option<&RawValue>| part.map(|p| range_of(text.as_bytes(), p.get()));
        let (id, params, result, error) = (lies(raw.id), lies(raw.params), lies(raw.result), lies(raw.error));
        let method = raw.method.map(|m| Method::parse(&m));
        let (outline, spelling) = (Outline::default(), Spelling::UNKNOWN);
        Ok(Self { id, method, params, result, error, shape: None, outline, spelling, text })
    }

    fn check(&self) -> Result<(), MessageError> {
        let invalid = |why: &str| Err(MessageError::Invalid(why.to_owned()));
        if let Some(id) = self.id() {
            let good = matches!(id.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'));
            // An error about a message whose id could not be read has the id null (JSON-RPC 2.0 section 5).
            let of_nobody = id == "null" && self.error.is_some();
            if !(good || of_nobody) {
                return invalid("member `id` must be a string or a number");
            }
        }
        match (&self.method, &self.result, &self.error) {
            (Some(_), None, None) => match self.params() {
                Some(params) if !params.starts_with('{') => invalid("member `params` must be an object"),
                _ => Ok(()),
            },
            (None, Some(_), None) if self.id.is_some() => Ok(()),
            (None, None, Some(_)) => Ok(()),
            (None, Some(_), None) => invalid("a result needs an `id`"),
            (None, None, None) => invalid("one of `method`, `result` and `error` must be there"),
            _ => invalid("only one of `method`, `result` and `error` may be there"),
        }
    }

    /// The bytes it came in.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.text.as_bytes()
    }

    /// What kind of message it is.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match (&self.method, &self.id) {
            (Some(_), Some(_)) => MessageKind::Request,
            (Some(_), None) => MessageKind::Notification,
            (None, _) => MessageKind::Response,
        }
    }

    /// The method of a request or notification.
    #[must_use]
    pub const fn method(&self) -> Option<&Method> {
        self.method.as_ref()
    }

    /// The JSON text of the id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.part(self.id.as_ref())
    }

    /// The JSON text of the parameters.
    #[must_use]
    pub fn params(&self) -> Option<&str> {
        self.part(self.params.as_ref())
    }

    /// The JSON text of the result.
    #[must_use]
    pub fn result(&self) -> Option<&str> {
        self.part(self.result.as_ref())
    }

    /// The JSON text of the error.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.part(self.error.as_ref())
    }

    /// Where the id lies in the bytes.
    #[must_use]
    pub fn id_range(&self) -> Option<Range<usize>> {
        self.id.clone()
    }

    /// Where the parameters lie in the bytes.
    #[must_use]
    pub fn params_range(&self) -> Option<Range<usize>> {
        self.params.clone()
    }

    /// Where the result lies in the bytes.
    #[must_use]
    pub fn result_range(&self) -> Option<Range<usize>> {
        self.result.clone()
    }

    /// Code of an error response.
    #[must_use]
    pub fn error_code(&self) -> Option<crate::ErrorCode> {
        #[derive(Deserialize)]
        struct Code {
            code: i64,
        }
        let error = self.error().filter(|error| error.starts_with('{'))?;
        serde_json::from_str::<Code>(error).ok().map(|c| crate::ErrorCode(c.code))
    }

    /// The id as a number, if it is a whole one.
    #[must_use]
    pub fn id_number(&self) -> Option<u64> {
        self.id()?.parse().ok()
    }

    /// The message under another id, given as JSON text. A long one that nobody else holds is changed where it lies.
    #[must_use]
    pub fn with_id(self, id: &str) -> Bytes {
        let (range, mut bytes) = (self.id, self.text.into_bytes());
        let Some(range) = range else { return bytes };
        let is_near = bytes.len() >= CHANGED_BYTES_MIN && range.start <= MOVED_BYTES_MAX;
        if let Some(fewer) = range.len().checked_sub(id.len()).filter(|_| is_near) {
            match bytes.try_into_mut() {
                Ok(mut own) => {
                    own.copy_within(..range.start, fewer);
                    own[range.start + fewer..range.end].copy_from_slice(id.as_bytes());
                    own.advance(fewer);
                    return own.freeze();
                }
                Err(shared) => bytes = shared,
            }
        }
        let mut splice = Splice::new();
        splice.replace(range, id.as_bytes());
        splice.apply(&bytes).into()
    }

    /// What a glance at the parameters has found; `None` where they are out of the ordinary.
    pub(crate) fn shape(&self) -> Option<&Shape> {
        self.shape.as_deref()
    }

    /// The whole message as text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How its strings are spelled.
    #[must_use]
    pub const fn spelling(&self) -> Spelling {
        self.spelling
    }

    /// Whether there could be a member of this name in its result, given with its quotes, as in [`might_have`]: where a glance
    /// was enough, only as a member of the result itself. `false` is sure.
    #[must_use]
    pub fn result_might_have(&self, quoted: &str) -> bool {
        let known = self.outline.has(quoted.trim_matches('"'));
        known.unwrap_or_else(|| self.result().is_some_and(|result| might_have(result, quoted)))
    }

    /// Whether its result has the member `isError` with the value `true`: so a tool says that it failed.
    #[must_use]
    pub fn result_is_error(&self) -> bool {
        let read = || self.result().and_then(|result| member(result, "isError")).is_some_and(|is| is.get() == "true");
        self.outline.is_error().unwrap_or_else(read)
    }

    fn part(&self, range: Option<&Range<usize>>) -> Option<&str> {
        range.map(|r| &self.text[r.clone()])
    }
}

/// Why an array is no message: it is a batch, if it is JSON at all.
fn array(text: &str) -> MessageError {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => MessageError::Batch,
        Err(error) => MessageError::NotJson(error.to_string()),
    }
}

fn classify(error: &serde_json::Error) -> MessageError {
    match error.classify() {
        serde_json::error::Category::Data => MessageError::Invalid(error.to_string()),
        _ => MessageError::NotJson(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
