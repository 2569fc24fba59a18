//! Replies of the hub as HTTP answers: JSON where there is one message, a stream of events where there are more.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use omni_hub::stage::SanitizedStream;
use omni_hub::{ListenStream, Reply};
use omni_protocol::{Version, header_names, write_event};
use omni_types::{Fault, FaultKind};
use tokio::sync::watch;

use crate::fault;
use crate::http::body::{Body, Next, Source};
use crate::http::challenged::Challenged;

/// On a quiet stream a comment is sent this often, so that nothing in between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
pub(crate) const COMMENT: &[u8] = b":\n\n";

/// What a reply needs to know besides itself.
pub(crate) struct Setting {
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The HTTP answer of `reply`.
pub(crate) fn render(reply: Reply, setting: &Setting) -> Response<Body> {
    match reply {
        Reply::Accepted => plain(StatusCode::ACCEPTED, Body::whole(Bytes::new())),
        Reply::Opened { session, body } => {
            let mut response = json(StatusCode::OK, body);
            if let Ok(id) = HeaderValue::from_str(session.id()) {
                response.headers_mut().insert(header_names::SESSION_ID, id);
            }
            response
        }
        Reply::Answer(sanitized) => {
            let (first, rest, status) = sanitized.into_parts();
            match rest {
                None => json(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), first),
                Some(rest) => events(Box::new(Answering { waiting: Some(first), rest: Some(rest) })),
            }
        }
        Reply::Listening(listen) => events(Box::new(Listening { listen, stopping: setting.stopping.clone() })),
        Reply::Failed { fault, id, version } => {
            if fault.kind() == FaultKind::Cancelled {
                // Nothing more is said about a cancelled call; a stream that ends says just that.
                return events(Box::new(Answering { waiting: None, rest: None }));
            }
            let status = StatusCode::from_u16(fault::status(fault.kind(), version)).unwrap_or(StatusCode::OK);
            let mut response = json(status, fault::body(&fault, id.as_deref(), version).into());
            Challenged::mark(&mut response, &fault);
            if fault.kind() == FaultKind::Busy {
                let seconds = fault.retry_after().map_or(1, whole_seconds);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// In whole seconds (RFC 9110 section 10.2.3), and never too soon.
pub(crate) const fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + (wait.subsec_nanos() > 0) as u64
}

fn plain(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

pub(crate) fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = plain(status, Body::whole(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(crate) fn text(status: StatusCode, body: &str) -> Response<Body> {
    let mut response = plain(status, Body::whole(body.to_owned()));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

pub(crate) fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this path");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

/// A refusal before anything was read: a JSON-RPC error without an id.
pub(crate) fn refuse(status: StatusCode, why: &str) -> Response<Body> {
    let fault = Fault::new(FaultKind::InvalidRequest, why);
    json(status, fault::body(&fault, None, Version::LATEST_LEGACY).into())
}

pub(crate) fn events(source: Box<dyn Source>) -> Response<Body> {
    let mut response = plain(StatusCode::OK, Body::stream(source));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

pub(crate) fn event(message: &[u8]) -> Bytes {
    let mut out = Vec::new();
    write_event(&mut out, message);
    out.into()
}

/// `None` when it took longer than the keep-alive allows.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(KEEP_ALIVE, work).await.ok()
}

/// The messages of one call, up to its answer.
struct Answering {
    waiting: Option<Bytes>,
    rest: Option<Box<SanitizedStream>>,
}

impl Source for Answering {
    fn next(mut self: Box<Self>) -> Next {
        Box::pin(async move {
            if let Some(first) = self.waiting.take() {
                return Some((event(&first), self as Box<dyn Source>));
            }
            let mut rest = self.rest.take()?;
            match in_time(rest.next()).await {
                None => {
                    self.rest = Some(rest);
                    Some((Bytes::from_static(COMMENT), self))
                }
                Some(Ok(Some((message, is_answer)))) => {
                    if !is_answer {
                        self.rest = Some(rest);
                    }
                    Some((event(&message), self))
                }
                Some(Ok(None)) => None,
                Some(Err(fault)) if fault.kind() == FaultKind::Cancelled => None,
                Some(Err(fault)) => Some((event(&fault::body(&fault, Some(rest.id()), rest.version())), self)),
            }
        })
    }
}

/// A `subscriptions/listen`.
struct Listening {
    listen: Box<ListenStream>,
    stopping: watch::Receiver<bool>,
}

impl Source for Listening {
    fn next(mut self: Box<Self>) -> Next {
        Box::pin(async move {
            let outcome = tokio::select! {
                biased;
                outcome = in_time(self.listen.next()) => outcome,
                _ = self.stopping.wait_for(|stop| *stop) => Some(Some(self.listen.close())),
            };
            match outcome {
                None => Some((Bytes::from_static(COMMENT), self as Box<dyn Source>)),
                Some(Some(message)) => Some((event(&message), self as Box<dyn Source>)),
                Some(None) => None,
            }
        })
    }
}
