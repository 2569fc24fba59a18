//! Headers that mirror a tool's arguments (2026-07-28): made where the client made none, judged where the server cannot.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use omni_protocol::{Era, ErrorCode, Method, header_names};
use omni_proxy::{Exchange, Link, Server};
use omni_telemetry::current_trace;
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::channel::Channel;
use crate::stage::validate::Validated;

/// The trace that a request is a part of (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The headers of the client's that the server has to see, with those that mirror the arguments of `tool`, and the trace
/// (row DIAG-3).
///
/// # Errors
/// When the server sees no headers, and those of the client contradict the body: the header is what others judged.
pub(super) async fn mirror(
    hub: &Hub,
    validated: &Validated,
    tool: &str,
    server: &Arc<Server>,
    link: &Link,
) -> Result<Vec<(HeaderName, HeaderValue)>, Fault> {
    let mut headers = headers(hub, validated, tool, server, link).await?;
    // A server behind a channel sees what its client wrote into `_meta`, and nothing is written in there.
    if !link.shares_channel()
        && !headers.iter().any(|(name, _)| *name == TRACEPARENT)
        && let Some(trace) = current_trace()
        && let Ok(value) = HeaderValue::try_from(trace.traceparent())
    {
        headers.push((TRACEPARENT, value));
    }
    Ok(headers)
}

async fn headers(
    hub: &Hub,
    validated: &Validated,
    tool: &str,
    server: &Arc<Server>,
    link: &Link,
) -> Result<Vec<(HeaderName, HeaderValue)>, Fault> {
    let forwarded = &validated.received().headers.forwarded;
    let (has_headers, wants_headers) = (has_headers(validated), wants_headers(link));
    // Between two of 2026-07-28 over HTTP the server judges what the client sent.
    if has_headers == wants_headers || validated.method() != Some(&Method::ToolsCall) {
        return Ok(forwarded.clone());
    }
    // Rare, and large: boxed, it does not weigh on every call.
    Box::pin(mirrored(hub, validated, tool, server, has_headers)).await
}

fn has_headers(validated: &Validated) -> bool {
    validated.received().channel == Channel::Http && validated.version().era() == Era::Modern
}

fn wants_headers(link: &Link) -> bool {
    !link.shares_channel() && link.version().era() == Era::Modern
}

/// A server refused a call because of the headers that mirror its arguments: the schema that they were made by is stale,
/// the hub's or the client's. Reads its tools anew, for whoever makes the call the next time. `true` when that is the hub
/// itself, which made the headers: nothing ran, so the call may be made once more.
pub(super) async fn outdated(validated: &Validated, server: &Arc<Server>, link: &Arc<Link>) -> bool {
    let is_read = server.read_anew(link).await;
    is_read && !has_headers(validated)
}

/// Whether `exchange` is that refusal.
pub(super) fn is_mismatch(validated: &Validated, link: &Link, exchange: &Exchange) -> bool {
    exchange.first.error_code() == Some(ErrorCode::HEADER_MISMATCH)
        && validated.method() == Some(&Method::ToolsCall)
        && wants_headers(link)
}

async fn mirrored(
    hub: &Hub,
    validated: &Validated,
    tool: &str,
    server: &Arc<Server>,
    has_headers: bool,
) -> Result<Vec<(HeaderName, HeaderValue)>, Fault> {
    let forwarded = &validated.received().headers.forwarded;
    let mut state = server.catalog_now(validated.profile());
    if !state.is_settled() {
        // A tool may be called before it was ever listed.
        server.settle(validated.profile(), hub.limits().settle_wait).await;
        state = server.catalog_now(validated.profile());
    }
    let Some(mirrored) = state.catalog.as_ref().and_then(|catalog| catalog.mirrored(tool)) else {
        return Ok(forwarded.clone());
    };
    let whole = validated.message().bytes();
    let arguments = validated.params().arguments_range.clone().and_then(|range| whole.get(range));
    let arguments = arguments.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("{}");
    if has_headers {
        let given = |name: &str| {
            let mut values = forwarded.iter().filter(|(own, _)| own.as_str() == name).map(|(_, value)| value);
            // One that stands twice says nothing: others may have judged by either.
            values.next().map(|value| if values.next().is_some() { None } else { value.to_str().ok() })
        };
        let judged = mirrored.check(arguments, given);
        judged.map_err(|why| Fault::new(FaultKind::HeaderMismatch, format!("header mismatch: {why}")))?;
        return Ok(forwarded.clone());
    }
    let mut headers = forwarded.clone();
    headers.retain(|(name, _)| !name.as_str().starts_with(header_names::PARAM_PREFIX));
    for (name, value) in mirrored.headers(arguments) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.push((name, value));
        }
    }
    Ok(headers)
}
