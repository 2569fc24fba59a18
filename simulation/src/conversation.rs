//! Answers of simulated servers: one JSON text, or a stream of events that notices when its reader is gone.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;

/// Body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::new()).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// One message as JSON.
pub(crate) fn one(status: StatusCode, message: &Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(message.to_string())).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// A stream of events, one for each message that comes.
pub(crate) fn events(messages: mpsc::Receiver<Bytes>) -> Response<Body> {
    let frames = stream::unfold(messages, |mut messages| async move {
        let message = messages.recv().await?;
        let mut event = b"event: message\ndata: ".to_vec();
        event.extend_from_slice(&message);
        event.extend_from_slice(b"\n\n");
        Some((Ok(Frame::data(Bytes::from(event))), messages))
    });
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    response
}
