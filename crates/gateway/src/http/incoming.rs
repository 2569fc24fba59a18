//! What a request says of its body and of the answers it takes; the body itself, within bounds of size and time.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::http::body::Body;
use crate::http::guest::Guest;
use crate::http::reply::refuse;

/// Whether the body is said to be JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind == "application/json"
        || kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether the client takes a stream of events.
pub(crate) fn accepts_events(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
    accepts.flat_map(|v| v.split(',')).any(|range| range.trim().starts_with("text/event-stream"))
}

/// Reads the whole of `body`, or says why not.
pub(crate) async fn read(body: Incoming, guest: &Guest) -> Result<Bytes, Box<Response<Body>>> {
    let limits = &guest.shared.limits;
    match tokio::time::timeout(limits.body_timeout, collect(body, limits.body_bytes_max, guest)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let mut response = refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            Err(Box::new(response))
        }
    }
}

async fn collect(mut body: Incoming, bytes_max: usize, guest: &Guest) -> Result<Bytes, Box<Response<Body>>> {
    let too_large = || {
        let why = format!("a body has at most {bytes_max} bytes (gateway.body_bytes_max)");
        Box::new(refuse(StatusCode::PAYLOAD_TOO_LARGE, &why))
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Box::new(refuse(StatusCode::BAD_REQUEST, "the body broke off")))?;
        let Ok(data) = frame.into_data() else { continue };
        guest.used(data.len());
        if first.as_ref().map_or(0, Bytes::len).max(rest.len()) + data.len() > bytes_max {
            return Err(too_large());
        }
        match &first {
            None => first = Some(data),
            Some(one) => {
                if rest.is_empty() {
                    rest.extend_from_slice(one);
                }
                rest.extend_from_slice(&data);
            }
        }
    }
    Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
}
