//! HTTP+SSE of 2024-11-05: one stream on which the server speaks, and an address to which messages for it are posted.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use omni_egress::{Client, collect};
use tokio::task::JoinSet;

use crate::channel::{Channel, OnEnd, Port, Queue};
use crate::demux::Demux;
use crate::error::LinkError;
use crate::ration::Ration;
use crate::spec::RemoteSpec;
use crate::transports::events::{EVENT_STREAM, Events, EventsEnd, is_message, is_stream, media_type};

/// Bytes of the address that the server names.
const ENDPOINT_BYTES_MAX: usize = 8 * 1024;
/// Events before the one that names it.
const EVENTS_BEFORE_MAX: usize = 100;
/// Messages on their way at a time.
const POSTS_MAX: usize = 16;
/// A message waits this long for the server to take the one before it, so that they arrive in order.
const ORDER_WAIT: Duration = Duration::from_millis(250);
/// For the server to take a message; the answer comes on the stream.
const POST_WAIT: Duration = Duration::from_secs(30);
/// Bytes of what it says to a POST.
const SAID_BYTES_MAX: usize = 64 * 1024;

/// Opens the stream, and learns where messages go.
pub(crate) async fn open(
    server: &str,
    client: &Client,
    spec: &RemoteSpec,
    on_end: OnEnd,
) -> Result<Channel, LinkError> {
    let mut headers = spec.headers.clone();
    headers.insert(http::header::HOST, spec.target.host_header().clone());
    let mut asking = headers.clone();
    asking.insert(http::header::ACCEPT, HeaderValue::from_static(EVENT_STREAM));
    let response = client.send_apart(Method::GET, asking, Bytes::new()).await?;
    if !is_stream(&response) {
        let status = response.status().as_u16();
        return Err(match status {
            200 => LinkError::Broken(format!("`{}` instead of a stream of events", media_type(response.headers()))),
            _ => LinkError::Status { status, said: None },
        });
    }
    let mut events = Events::new(response.into_body());
    let endpoint = endpoint(&mut events).await?;
    let poster = Poster { client: client.at(spec.target.resolve(&endpoint)?), headers };
    let (channel, port) = Channel::new(server);
    tokio::spawn(run(port, events, poster, on_end));
    Ok(channel)
}

async fn endpoint(events: &mut Events) -> Result<String, LinkError> {
    for _ in 0..EVENTS_BEFORE_MAX {
        let event = events.next().await.map_err(ended)?;
        if event.event.as_deref() != Some("endpoint") {
            continue;
        }
        if event.data.len() > ENDPOINT_BYTES_MAX {
            break;
        }
        let text = std::str::from_utf8(&event.data).map_err(|_| no_endpoint())?;
        return Ok(text.to_owned());
    }
    Err(no_endpoint())
}

fn no_endpoint() -> LinkError {
    LinkError::Broken("its stream of events names no address for messages (event `endpoint`)".to_owned())
}

fn ended(end: EventsEnd) -> LinkError {
    match end {
        EventsEnd::Ended(why) => LinkError::Disconnected { why },
        EventsEnd::Broken(why) => LinkError::Broken(why),
    }
}

/// Serves both directions until one of them ends.
async fn run(port: Port, mut events: Events, poster: Poster, on_end: OnEnd) {
    let Port { queue, demux } = port;
    let let_go = queue.let_go();
    let error = tokio::select! {
        error = read(&mut events, &demux) => error,
        error = poster.write(queue, &demux) => error,
        () = let_go => LinkError::Stopped,
    };
    demux.end(&error);
    on_end(error);
}

async fn read(events: &mut Events, demux: &Demux) -> LinkError {
    let mut ration = Ration::default();
    loop {
        let received = match events.next().await {
            Ok(event) if is_message(&event) => demux.receive(event.data),
            Ok(_) => Ok(0),
            Err(end) => Err(ended(end)),
        };
        match received {
            Ok(unasked) => ration.spend(unasked).await,
            Err(error) => return error,
        }
    }
}

/// Posts messages to the address that the server named.
struct Poster {
    client: Client,
    headers: HeaderMap,
}

impl Poster {
    async fn write(mut self, mut queue: Queue, demux: &Demux) -> LinkError {
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut posts = JoinSet::new();
        loop {
            let queued = tokio::select! {
                Some(done) = posts.join_next() => match done {
                    Ok(Err(error)) => return error,
                    _ => continue,
                },
                queued = queue.next(), if posts.len() < POSTS_MAX => queued,
            };
            let Some(queued) = queued else { return LinkError::Stopped };
            let post = post(self.client.clone(), self.headers.clone(), queued.message, queued.call, demux.clone());
            let mut post = Box::pin(post);
            match tokio::time::timeout(ORDER_WAIT, &mut post).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(_) => drop(posts.spawn(post)),
            }
        }
    }
}

/// One message. What went wrong with a call's own request is told to that call.
///
/// # Errors
/// When the session is gone, and every other call with it.
async fn post(
    client: Client,
    headers: HeaderMap,
    message: Bytes,
    call: Option<u64>,
    demux: Demux,
) -> Result<(), LinkError> {
    let posting = async {
        let response = client.send(Method::POST, headers, message).await?;
        let status = response.status();
        let body = collect(response.into_body(), SAID_BYTES_MAX).await?;
        if status.is_success() {
            return Ok(());
        }
        let said = std::str::from_utf8(&body).ok().map(|t| t.chars().filter(|c| !c.is_control()).take(200).collect());
        Err(LinkError::Status { status: status.as_u16(), said: said.filter(|s: &String| !s.is_empty()) })
    };
    let late = LinkError::Timeout { seconds: POST_WAIT.as_secs() };
    match tokio::time::timeout(POST_WAIT, posting).await.unwrap_or(Err(late)) {
        Ok(()) => Ok(()),
        Err(LinkError::Status { status: status @ (404 | 410), .. }) => {
            Err(LinkError::Disconnected { why: format!("it no longer knows the session (HTTP status {status})") })
        }
        Err(error) => {
            tracing::debug!(target: "server", %error, "a message was not taken");
            if let Some(call) = call {
                demux.fail(call, error);
            }
            Ok(())
        }
    }
}
