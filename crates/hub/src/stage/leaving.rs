//! What leaves is fit to leave: characters, secrets, personal data, size (rows TOOL-5, VAL-5, COMP-4), and errors without what
//! is the operator's alone (row EXB-5).

use bytes::Bytes;
use omni_protocol::{ErrorCode, Splice, member};
use omni_types::{Blame, Fault, FaultKind, random};

use crate::Hub;
use crate::stage::input::URL_ELICITATION_REQUIRED;

/// Bytes of an error that are written to the log.
const LOGGED_BYTES_MAX: usize = 16 * 1024;

/// Errors whose data clients act upon: it says what is wanted, and nothing of the host.
const SPOKEN: &[ErrorCode] = &[
    ErrorCode::HEADER_MISMATCH,
    ErrorCode::MISSING_CLIENT_CAPABILITY,
    ErrorCode::UNSUPPORTED_VERSION,
    ErrorCode::RESOURCE_NOT_FOUND,
    URL_ELICITATION_REQUIRED,
];

/// A message of `server`'s as its client may see it.
///
/// # Errors
/// When it is withheld: it is too large, or holds what a rule blocks.
pub(crate) fn leave(hub: &Hub, server: &str, message: Bytes) -> Result<Bytes, Fault> {
    let screen = hub.screen();
    if message.len() > screen.answer_bytes_max {
        let why = format!(
            "server `{server}`: its answer has {} bytes, and at most {} leave (`answers.bytes_max`)",
            message.len(),
            screen.answer_bytes_max
        );
        return Err(Fault::new(FaultKind::ServerBroken, why));
    }
    let Ok(text) = std::str::from_utf8(&message) else { return Ok(message) };
    match screen.outward(text) {
        Ok(None) => Ok(message),
        Ok(Some(changed)) => Ok(changed.into()),
        Err(why) => Err(Fault::new(FaultKind::Denied, format!("server `{server}`: its answer is withheld: it {why}"))),
    }
}

/// JSON text of a server's error without paths of the host, stack traces and keys; `None` where it may leave as it is.
/// `asked` is what the client wrote: to read that again is no news to it.
pub(super) fn error_without_leaks(hub: &Hub, server: &str, error: &str, asked: &str) -> Option<String> {
    let screen = hub.screen();
    if !screen.filters_errors(server) {
        return None;
    }
    let said = member(error, "message")?;
    let message: String = serde_json::from_str(said.get()).ok()?;
    let code = member(error, "code").and_then(|code| code.get().parse().ok()).map(ErrorCode);
    let data =
        member(error, "data").map(|data| data.get()).filter(|_| !code.is_some_and(|code| SPOKEN.contains(&code)));
    let reason = screen.reason(&message, asked);
    let leaks = data.is_some_and(|data| screen.reason(&unescaped(data), asked).is_some());
    if reason.is_none() && !leaks {
        return None;
    }
    let id = error_id();
    let whole = &error[..floor(error, LOGGED_BYTES_MAX)];
    tracing::warn!(target: "error", error_id = id, server, whole, "an error was filtered");
    let place = |part: &str| {
        let start = part.as_ptr() as usize - error.as_ptr() as usize;
        start..start + part.len()
    };
    let told = format!("{} (error id {id})", reason.as_deref().unwrap_or(&message));
    let mut splice = Splice::new();
    splice.replace(place(said.get()), serde_json::Value::from(told).to_string().into_bytes());
    if let Some(data) = data.filter(|_| leaks) {
        splice.replace(place(data), format!(r#"{{"errorId":"{id}"}}"#).into_bytes());
    }
    String::from_utf8(splice.apply(error.as_bytes())).ok()
}

/// A fault as its client may see it, and the id under which the operator finds the whole: the hub's own words and those of
/// servers that failed. `None` where it may be seen as it is.
pub(crate) fn told(hub: &Hub, fault: &Fault, asked: &str) -> (Option<Fault>, Option<String>) {
    let screen = hub.screen();
    if fault.blame() == Blame::Client {
        return (None, None);
    }
    let reason = screen.reason(fault.public(), asked);
    if reason.is_none() && fault.private().is_none() {
        return (None, None);
    }
    let id = error_id();
    let whole = fault.to_string();
    tracing::warn!(target: "error", error_id = id, whole = &whole[..floor(&whole, LOGGED_BYTES_MAX)], "an error was filtered");
    let reason = reason.as_deref().unwrap_or_else(|| fault.public());
    let data = fault.data().map_or_else(|| format!(r#"{{"errorId":"{id}"}}"#), str::to_owned);
    (Some(Fault::new(fault.kind(), format!("{reason} (error id {id})")).with_data(data)), Some(id))
}

/// Under which the operator finds the whole.
fn error_id() -> String {
    let bytes: [u8; 6] = random().unwrap_or_default();
    format!("e-{}", omni_types::hex(&bytes))
}

/// The texts of a JSON text, one a line, as they are meant.
fn unescaped(json: &str) -> String {
    fn walk(value: &serde_json::Value, out: &mut String) {
        match value {
            serde_json::Value::String(text) => {
                out.push_str(text);
                out.push('\n');
            }
            serde_json::Value::Array(items) => items.iter().for_each(|value| walk(value, out)),
            serde_json::Value::Object(members) => members.values().for_each(|value| walk(value, out)),
            _ => {}
        }
    }
    let mut out = String::new();
    if let Ok(value) = serde_json::from_str(json) {
        walk(&value, &mut out);
    }
    out
}

fn floor(text: &str, most: usize) -> usize {
    text.floor_char_boundary(most)
}
