//! A Streamable HTTP server: each message its own POST, answered as JSON or as a stream of events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, Response, StatusCode};
use omni_egress::{Body, Client, RequestHead, collect};
use omni_protocol::{Era, Message, MessageError, MessageKind, Version, encode_value, header_names};

use crate::demux::may_ask;
use crate::error::LinkError;
use crate::outgoing::Outgoing;
use crate::spec::RemoteSpec;
use crate::transports::bounds::MESSAGE_BYTES_MAX;
use crate::transports::events::{EVENT_STREAM, is_stream, media_type};
use crate::transports::lost_session::{says_session_lost, writes_session_lost};
use crate::transports::messages::HttpMessages;
use crate::transports::resumption::Resumption;
use crate::transports::streams::Streams;
use crate::watch_channel;

/// Characters of a refusal's body that are told.
const SAID_MAX: usize = 200;

/// For a server to take the end of a session.
const FAREWELL_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

const SESSION_ID: HeaderName = HeaderName::from_static(header_names::SESSION_ID);
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(header_names::PROTOCOL_VERSION);
const MCP_METHOD: HeaderName = HeaderName::from_static(header_names::METHOD);
const MCP_NAME: HeaderName = HeaderName::from_static(header_names::NAME);

/// One conversation over HTTP: in the legacy era a session, in the modern one nothing but an address.
#[derive(Debug)]
pub(crate) struct HttpWire {
    client: Client,
    base: ArcSwap<Base>,
    /// Opens the session again when the server has lost it.
    opening: Mutex<Option<Opening>>,
    reopening: tokio::sync::Mutex<()>,
    /// Whether `initialize` was answered as by a server that knows no POST here.
    refused: AtomicBool,
    /// Calls of the legacy era that wait on a stream.
    streams: Arc<Streams>,
    /// Sessions opened so far: what was said in one is unknown in the next.
    sessions: watch_channel::Sender<u64>,
    /// Whether the server had a stream of its own accord open: only then a missing one means a missing session.
    had_stream: AtomicBool,
    /// Set when the conversation is over: a session that is lost then is not opened again.
    closing: watch_channel::Sender<bool>,
}

/// What every POST has in common.
#[derive(Debug)]
struct Base {
    /// Headers, the session's among them.
    head: RequestHead,
    /// The server speaks 2026-07-28: method and name stand in headers too.
    is_modern: bool,
    in_session: bool,
}

impl Base {
    fn new(client: &Client, headers: HeaderMap) -> Self {
        let (is_modern, in_session) = (is_modern(&headers), headers.contains_key(&SESSION_ID));
        Self { head: client.head(HttpMethod::POST, headers), is_modern, in_session }
    }

    fn session(&self) -> Option<&HeaderValue> {
        self.head.headers().get(&SESSION_ID)
    }
}

#[derive(Debug, Clone)]
struct Opening {
    initialize: Bytes,
    initialized: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(crate) enum HttpAnswer {
    /// Nothing to read.
    Accepted,
    /// One message under an HTTP status.
    One(Message, u16),
    /// Events.
    Stream(Box<HttpMessages>),
}

impl HttpWire {
    pub(crate) fn new(client: Client, spec: &RemoteSpec) -> Self {
        let mut base = spec.headers.clone();
        base.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        base.insert(http::header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        base.insert(http::header::HOST, spec.target.host_header().clone());
        Self {
            base: ArcSwap::from_pointee(Base::new(&client, base)),
            client,
            opening: Mutex::default(),
            reopening: tokio::sync::Mutex::default(),
            refused: AtomicBool::new(false),
            streams: Arc::default(),
            sessions: watch_channel::Sender::new(0),
            had_stream: AtomicBool::new(false),
            closing: watch_channel::Sender::new(false),
        }
    }

    /// Tells of every session after the one there is.
    pub(crate) fn sessions(&self) -> watch_channel::Receiver<u64> {
        self.sessions.subscribe()
    }

    pub(crate) fn is_alive(&self) -> bool {
        !*self.closing.borrow()
    }

    /// Returns when the conversation is over.
    pub(crate) async fn ended(&self) {
        drop(self.closing.subscribe().wait_for(|closing| *closing).await);
    }

    /// From now on requests carry `version`'s header.
    pub(crate) fn set_version(&self, version: Version) {
        let mut base = self.headers();
        base.remove(&PROTOCOL_VERSION);
        // The header came with 2025-06-18.
        if version >= Version::V2025_06_18 {
            base.insert(PROTOCOL_VERSION, HeaderValue::from_static(version.as_str()));
        }
        self.base.store(Arc::new(Base::new(&self.client, base)));
    }

    /// Headers of every request.
    fn headers(&self) -> HeaderMap {
        self.base.load().head.headers().clone()
    }

    /// Posts `initialize`; the session it opens is used from then on.
    pub(crate) async fn initialize(&self, initialize: Bytes, initialized: Bytes) -> Result<(Message, u16), LinkError> {
        let opened = self.open(initialize.clone()).await;
        let refused = match &opened {
            Err(LinkError::Status { status: 400 | 404 | 405, .. }) => true,
            // Some refuse the method with a JSON-RPC error for a body: another hub, for one.
            Ok((message, 404 | 405)) => message.result().is_none(),
            _ => false,
        };
        if refused {
            self.refused.store(true, Ordering::Relaxed);
        }
        let done = opened?;
        *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = Some(Opening { initialize, initialized });
        Ok(done)
    }

    /// Whether the server may speak HTTP+SSE of 2024-11-05 at this address instead (2025-03-26 ff., "Backwards
    /// Compatibility").
    pub(crate) fn may_be_sse(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    async fn open(&self, initialize: Bytes) -> Result<(Message, u16), LinkError> {
        let mut headers = self.headers();
        headers.remove(&SESSION_ID);
        headers.remove(&PROTOCOL_VERSION);
        let mut base = headers.clone();
        let response = self.client.send(HttpMethod::POST, headers, initialize).await?;
        let session = response.headers().get(&SESSION_ID).cloned();
        if let Some(session) = &session {
            base.insert(SESSION_ID, session.clone());
        }
        let (message, status) = match self.read(response, &Base::new(&self.client, base), None).await? {
            HttpAnswer::One(message, status) => (message, status),
            HttpAnswer::Stream(mut messages) => loop {
                let message = messages.next().await?;
                if message.kind() == MessageKind::Response {
                    break (message, 200);
                }
            },
            HttpAnswer::Accepted => return Err(LinkError::Broken("it did not answer `initialize`".to_owned())),
        };
        if message.result().is_some() {
            let mut base = self.headers();
            base.remove(&SESSION_ID);
            if let Some(session) = session {
                base.insert(SESSION_ID, session);
            }
            self.base.store(Arc::new(Base::new(&self.client, base)));
            self.sessions.send_modify(|count| *count += 1);
        }
        Ok((message, status))
    }

    /// Posts a request. A session that the server has lost is opened again, once.
    pub(crate) async fn call(&self, outgoing: &Outgoing) -> Result<HttpAnswer, LinkError> {
        for _attempt in 0..2 {
            let base = self.base.load_full();
            let mirrored = if base.is_modern { mirrored(outgoing)? } else { Vec::new() };
            let extra = if base.is_modern { &mirrored } else { &outgoing.headers };
            let response = self.client.request(&base.head, extra, &outgoing.body).await?;
            match self.read(response, &base, Some(outgoing)).await {
                // Rare, and large: boxed, it does not weigh on every call.
                Err(LinkError::SessionLost) => Box::pin(self.reopen(base.session())).await?,
                done => return done,
            }
        }
        Err(LinkError::SessionLost)
    }

    /// Posts a notification or an answer. Calls may hold every connection of the pool until it arrives.
    pub(crate) async fn send(&self, message: Bytes) -> Result<(), LinkError> {
        let base = self.base.load_full();
        let response = self.client.request_aside(&base.head, &message).await?;
        match response.status() {
            status if status.is_success() => {
                collect(response.into_body(), MESSAGE_BYTES_MAX).await?;
                Ok(())
            }
            status => Err(LinkError::Status { status: status.as_u16(), said: None }),
        }
    }

    async fn reopen(&self, failed: Option<&HeaderValue>) -> Result<(), LinkError> {
        // One caller opens the session again, the others wait for it. Nothing else is done under this lock.
        let _turn = self.reopening.lock().await;
        if self.base.load().session() != failed {
            return Ok(());
        }
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(opening) = opening.filter(|_| self.is_alive()) else { return Err(LinkError::SessionLost) };
        let (answer, _) = self.open(opening.initialize).await?;
        if answer.result().is_none() {
            return Err(LinkError::Handshake("its session ended and it refused a new one".to_owned()));
        }
        self.send(opening.initialized).await
    }

    /// Opens the stream on which a server of the legacy era speaks of its own accord; `None` where it offers none.
    pub(crate) async fn stream(&self) -> Result<Option<HttpMessages>, LinkError> {
        let mut headers = self.headers();
        headers.remove(http::header::CONTENT_TYPE);
        headers.insert(http::header::ACCEPT, HeaderValue::from_static(EVENT_STREAM));
        let base = Arc::new(headers.clone());
        let response = self.client.send_apart(HttpMethod::GET, headers, Bytes::new()).await?;
        let is_lost = response.status() == StatusCode::NOT_FOUND && base.contains_key(&SESSION_ID);
        if is_lost && self.had_stream.load(Ordering::Relaxed) {
            // The session is lost, and perhaps no call comes that would find out.
            self.reopen(base.get(&SESSION_ID)).await?;
            return Err(LinkError::SessionLost);
        }
        if is_lost {
            // Or the server knows no GET here.
            return Err(LinkError::Status { status: response.status().as_u16(), said: None });
        }
        let resumption = Resumption::new(self.client.clone(), base);
        let offered = is_stream(&response);
        self.had_stream.fetch_or(offered, Ordering::Relaxed);
        Ok(offered.then(|| HttpMessages::stream(response.into_body(), None, Some(resumption))))
    }

    /// Gives a message of the session's own stream to the call it belongs to; what belongs to none comes back.
    pub(crate) fn give(&self, message: Message, only_call: bool) -> Option<Message> {
        self.streams.give(message, only_call)
    }

    /// A call was let go without an answer: what the server asks next on the session's own stream may be about it.
    pub(crate) fn let_go(&self, call: u64) {
        self.streams.let_go(call);
    }

    /// Opens a `subscriptions/listen` on a connection of its own.
    pub(crate) async fn listen(&self, body: Bytes) -> Result<Option<HttpMessages>, LinkError> {
        let mut headers = self.headers();
        headers.insert(MCP_METHOD, HeaderValue::from_static("subscriptions/listen"));
        let response = self.client.send_apart(HttpMethod::POST, headers, body).await?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            // That is no word about subscriptions: it may have them, when it fares better.
            return Err(LinkError::Status { status: status.as_u16(), said: None });
        }
        Ok(is_stream(&response).then(|| HttpMessages::stream(response.into_body(), None, None)))
    }

    /// Tells a server of the legacy era that its session is over.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
        let base = self.base.load_full();
        if !base.in_session {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let client = self.client.clone();
        runtime.spawn(async move {
            let mut headers = base.head.headers().clone();
            headers.remove(http::header::CONTENT_TYPE);
            let head = client.head(HttpMethod::DELETE, headers);
            let farewell = async {
                if let Ok(response) = client.request_aside(&head, &Bytes::new()).await {
                    let _ignored = collect(response.into_body(), MESSAGE_BYTES_MAX).await;
                }
            };
            // A server that does not answer would hold the connection for ever.
            let _answered_or_not = tokio::time::timeout(FAREWELL_WAIT, farewell).await;
        });
    }

    /// What `response`, to the request `call` sent with `base`, holds.
    async fn read(
        &self,
        response: Response<Body>,
        base: &Base,
        call: Option<&Outgoing>,
    ) -> Result<HttpAnswer, LinkError> {
        let status = response.status();
        let in_session = base.in_session;
        let id = call.map(|call| call.id);
        if let Some(to) = response.headers().get(http::header::LOCATION).filter(|_| status.is_redirection()) {
            return Err(redirected(status, to));
        }
        match media_type(response.headers()) {
            EVENT_STREAM if status.is_success() => {
                let legacy = !base.is_modern;
                let headers = || Arc::new(base.head.headers().clone());
                let resumption = legacy.then(|| Resumption::new(self.client.clone(), headers()));
                let aside = call.filter(|_| legacy).map(|call| self.streams.wait(call.id, may_ask(&call.method)));
                let messages = HttpMessages::stream(response.into_body(), id, resumption).beside(aside);
                return Ok(HttpAnswer::Stream(Box::new(messages)));
            }
            "application/json" => {}
            _ if status == StatusCode::ACCEPTED || status == StatusCode::NO_CONTENT => {
                collect(response.into_body(), MESSAGE_BYTES_MAX).await?;
                return Ok(HttpAnswer::Accepted);
            }
            _ => return Err(refusal(status, collect(response.into_body(), MESSAGE_BYTES_MAX).await?, in_session)),
        }
        let body = collect(response.into_body(), MESSAGE_BYTES_MAX).await?;
        if in_session && status == StatusCode::NOT_FOUND {
            return Err(LinkError::SessionLost);
        }
        match Message::parse(body.clone()) {
            Ok(message) if in_session && says_session_lost(status, &message) => Err(LinkError::SessionLost),
            Ok(message) => Ok(HttpAnswer::One(message, status.as_u16())),
            Err(MessageError::Batch) if status.is_success() => {
                Ok(HttpAnswer::Stream(Box::new(HttpMessages::batch(&body, id)?)))
            }
            Err(_) if !status.is_success() => Err(refusal(status, body, in_session)),
            Err(error) => Err(LinkError::Broken(error.to_string())),
        }
    }
}

/// Headers that say what the body says (Streamable HTTP of 2026-07-28), beside those of the client.
fn mirrored(outgoing: &Outgoing) -> Result<Vec<(HeaderName, HeaderValue)>, LinkError> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|e| LinkError::Broken(e.to_string()));
    let mut all = Vec::with_capacity(2 + outgoing.headers.len());
    all.extend_from_slice(&outgoing.headers);
    all.push((MCP_METHOD, value(outgoing.method.as_str())?));
    if let Some(name) = &outgoing.name {
        all.push((MCP_NAME, value(&encode_value(name))?));
    }
    Ok(all)
}

fn is_modern(base: &HeaderMap) -> bool {
    base.get(&PROTOCOL_VERSION)
        .and_then(|v| v.to_str().ok())
        .and_then(Version::parse)
        .is_some_and(|v| v.era() == Era::Modern)
}

/// A redirect would carry the entry's headers, credentials among them, wherever the server likes.
fn redirected(status: StatusCode, to: &HeaderValue) -> LinkError {
    let to: String =
        String::from_utf8_lossy(to.as_bytes()).chars().filter(|c| !c.is_control()).take(SAID_MAX).collect();
    let said = format!("a redirect to {to}, which is not followed: if that is right, write it as the entry's `url`");
    LinkError::Status { status: status.as_u16(), said: Some(said) }
}

fn refusal(status: StatusCode, body: Bytes, in_session: bool) -> LinkError {
    if in_session && (status == StatusCode::NOT_FOUND || writes_session_lost(status, &body)) {
        return LinkError::SessionLost;
    }
    if status.is_success() {
        return LinkError::Broken("its answer is neither JSON nor a stream of events".to_owned());
    }
    let said = std::str::from_utf8(&body).ok().map(|t| t.chars().filter(|c| !c.is_control()).take(SAID_MAX).collect());
    LinkError::Status { status: status.as_u16(), said: said.filter(|s: &String| !s.is_empty()) }
}
