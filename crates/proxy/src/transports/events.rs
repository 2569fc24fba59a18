//! The events of an answer's body, as they come.

use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use omni_egress::Body;
use omni_protocol::{SseEvent, SseParser};

use crate::transports::bounds::MESSAGE_BYTES_MAX;

/// The media type of a stream of events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// A stream of events.
#[derive(Debug)]
pub(crate) struct Events {
    body: Body,
    parser: SseParser,
}

/// Why there is no next event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EventsEnd {
    /// The server ended the stream, or its connection broke: it may be taken up again.
    Ended(String),
    /// It cannot be read on.
    Broken(String),
}

impl Events {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, parser: SseParser::new(MESSAGE_BYTES_MAX) }
    }

    /// Gives the connection's place in the pool to others; it is bounded by whoever lets the stream wait.
    pub(crate) fn set_apart(&mut self) {
        self.body.set_apart();
    }

    /// The next event. A call of this that is let go loses nothing.
    pub(crate) async fn next(&mut self) -> Result<SseEvent, EventsEnd> {
        loop {
            if let Some(event) = self.parser.next_event().map_err(|e| EventsEnd::Broken(e.to_string()))? {
                return Ok(event);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.parser.push(&data);
                    }
                }
                Some(Err(error)) => return Err(EventsEnd::Ended(format!("its stream broke off: {error}"))),
                None => return Err(EventsEnd::Ended("its stream ended".to_owned())),
            }
        }
    }
}

/// Whether an event carries a message: events without data only set the id or the time to reconnect.
pub(crate) fn is_message(event: &SseEvent) -> bool {
    !event.data.is_empty() && event.event.as_deref().is_none_or(|name| name == "message" || name.is_empty())
}

/// Whether an answer is a stream of events.
pub(crate) fn is_stream(response: &Response<Body>) -> bool {
    response.status() == StatusCode::OK && media_type(response.headers()).eq_ignore_ascii_case(EVENT_STREAM)
}

/// The media type without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}
