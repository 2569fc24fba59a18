//! Taking up a stream of events where it broke off: GET with `Last-Event-ID` (Streamable HTTP, 2025-03-26 to 2025-11-25).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use omni_egress::{Body, Client};
use omni_protocol::SseEvent;
use tokio::task::JoinHandle;

use crate::transports::events::{EVENT_STREAM, is_stream};

/// Before a stream is taken up again, where the server does not say.
const RETRY: Duration = Duration::from_secs(1);
/// At least, whatever the server says: a stream that ends at once must not become a busy loop.
const RETRY_SHORTEST: Duration = Duration::from_millis(50);
/// Attempts that fail in a row.
const FAILURES_MAX: u32 = 5;
/// Times that one stream is taken up again.
const RESUMPTIONS_MAX: u32 = 1_000;
/// Bytes of an event's id.
const ID_BYTES_MAX: usize = 4 * 1024;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What is needed to take up one stream.
#[derive(Debug)]
pub(crate) struct Resumption {
    client: Client,
    /// Headers of the session's requests.
    base: Arc<HeaderMap>,
    /// The last event that came. Without one there is nothing to go on from.
    last: Option<HeaderValue>,
    retry: Duration,
    failures: u32,
    resumptions: u32,
    /// One under way, kept here so that a reader who lets go and comes back finds it again.
    attempt: Option<Attempt>,
}

/// One GET under way, ended with its stream.
#[derive(Debug)]
struct Attempt(JoinHandle<Result<Body, Refused>>);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Refused {
    why: String,
    /// Whether there is no use in another attempt.
    last: bool,
}

impl Resumption {
    pub(crate) const fn new(client: Client, base: Arc<HeaderMap>) -> Self {
        Self { client, base, last: None, retry: RETRY, failures: 0, resumptions: 0, attempt: None }
    }

    /// An event came: how to go on from here.
    pub(crate) fn note(&mut self, event: &SseEvent) {
        self.failures = 0;
        if let Some(id) = &event.id {
            let fits = !id.is_empty() && id.len() <= ID_BYTES_MAX;
            self.last = if fits { HeaderValue::from_bytes(id.as_bytes()).ok() } else { None };
        }
        if let Some(ms) = event.retry_ms {
            self.retry = Duration::from_millis(ms).max(RETRY_SHORTEST);
        }
    }

    /// The rest of the stream; never a second POST.
    ///
    /// # Errors
    /// Why there is none, or nothing where it cannot be asked for.
    pub(crate) async fn resume(&mut self) -> Result<Body, Option<String>> {
        let Some(last) = self.last.clone() else { return Err(None) };
        loop {
            if self.resumptions >= RESUMPTIONS_MAX {
                return Err(Some(format!("it was taken up {RESUMPTIONS_MAX} times already")));
            }
            let attempt = self.attempt.get_or_insert_with(|| {
                let pause = self.retry.saturating_mul(1 << self.failures.min(FAILURES_MAX));
                Attempt(tokio::spawn(get(self.client.clone(), Arc::clone(&self.base), last.clone(), pause)))
            });
            let outcome = (&mut attempt.0).await;
            self.attempt = None;
            match outcome {
                Ok(Ok(body)) => {
                    self.resumptions += 1;
                    return Ok(body);
                }
                Ok(Err(refused)) => {
                    self.failures += 1;
                    if refused.last || self.failures >= FAILURES_MAX {
                        return Err(Some(refused.why));
                    }
                }
                Err(_) => return Err(Some("the hub is stopping".to_owned())),
            }
        }
    }
}

async fn get(client: Client, base: Arc<HeaderMap>, last: HeaderValue, pause: Duration) -> Result<Body, Refused> {
    tokio::time::sleep(pause).await;
    let mut headers = HeaderMap::clone(&base);
    headers.remove(http::header::CONTENT_TYPE);
    headers.insert(http::header::ACCEPT, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(LAST_EVENT_ID, last);
    let response = client.send_apart(Method::GET, headers, Bytes::new()).await;
    let response = response.map_err(|e| Refused { why: e.to_string(), last: false })?;
    if is_stream(&response) {
        return Ok(response.into_body());
    }
    let status = response.status();
    // A server that is overloaded or comes back may have the stream a moment later.
    let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    Err(Refused { why: format!("it answered with HTTP status {}", status.as_u16()), last: !passing })
}
