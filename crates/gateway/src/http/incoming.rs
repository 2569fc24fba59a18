//! What a request says of its body and of the answers it takes; the body itself, within bounds of size and time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

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

/// The body of a request.
pub(crate) enum RequestBody {
    /// It came with the head, and is within its bounds.
    Whole(Bytes),
    /// It is on its way, and within its bounds.
    Awaited(Awaited),
    /// It comes, and what may come of the connection then.
    Coming(Incoming, OnUpgrade),
}

/// A body that the connection reads, in the task in which it is awaited, once it is asked for.
#[derive(Clone, Default)]
pub(crate) struct Awaited(Arc<Mutex<Slot>>);

#[derive(Default)]
enum Slot {
    #[default]
    Unasked,
    Asked,
    There(Bytes),
}

impl Awaited {
    /// Whether somebody waits for it.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(*self.lock(), Slot::Asked)
    }

    /// Whoever waits for it finds it there; the giver asks them next.
    pub(crate) fn give(&self, body: Bytes) {
        *self.lock() = Slot::There(body);
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body, when it has come.
    pub(crate) async fn body(&self) -> Bytes {
        std::future::poll_fn(|_| match &mut *self.lock() {
            Slot::There(body) => Poll::Ready(std::mem::take(body)),
            slot => {
                *slot = Slot::Asked;
                Poll::Pending
            }
        })
        .await
    }
}

/// Reads the whole of `body`, or says why not.
pub(crate) async fn read(body: RequestBody, guest: &Guest) -> Result<Bytes, Box<Response<Body>>> {
    read_within(body, guest.shared.limits.body_bytes_max, guest).await
}

/// The same of one that has fewer bytes than others may have.
pub(crate) async fn read_within(
    body: RequestBody,
    bytes_max: usize,
    guest: &Guest,
) -> Result<Bytes, Box<Response<Body>>> {
    let limits = &guest.shared.limits;
    let bytes_max = bytes_max.min(limits.body_bytes_max);
    match body {
        RequestBody::Whole(body) => Ok(body),
        RequestBody::Awaited(body) => {
            tokio::time::timeout(limits.body_timeout, body.body()).await.map_err(|_| too_slow())
        }
        RequestBody::Coming(body, _) => {
            let coming = Box::pin(collect(body, bytes_max, guest));
            tokio::time::timeout(limits.body_timeout, coming).await.unwrap_or_else(|_| Err(too_slow()))
        }
    }
}

/// What comes of the body later would be taken for a request.
fn too_slow() -> Box<Response<Body>> {
    let mut response = refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Box::new(response)
}

async fn collect(mut body: Incoming, bytes_max: usize, guest: &Guest) -> Result<Bytes, Box<Response<Body>>> {
    let too_large = || {
        let setting =
            if bytes_max == guest.shared.limits.body_bytes_max { " (gateway.body_bytes_max)" } else { " here" };
        let why = format!("a body has at most {bytes_max} bytes{setting}");
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
