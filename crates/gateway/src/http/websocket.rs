//! WebSocket (RFC 6455), subprotocol `mcp`: one client on one channel, each message a text message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use hyper_util::rt::TokioIo;
use omni_hub::stage::Channel;
use omni_hub::{Hub, Identified, Scope};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::conversation::Conversation;
use crate::http::body::Body;
use crate::http::guest::{Guest, Seat};
use crate::http::incoming::RequestBody;
use crate::http::reply::{refuse, text};
use crate::http::shared::{GatewayLimits, Shared};

/// The subprotocol.
const SUBPROTOCOL: &str = "mcp";
/// The version of RFC 6455.
const WEBSOCKET_VERSION: &str = "13";
/// Characters of a key: 16 bytes in Base64 (RFC 6455 section 4.1).
const KEY_LENGTH: usize = 24;
/// Bytes that are read at a time; also what an idle connection holds.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes of one frame of ours: longer messages are sent in several, so that no more than this waits to be written.
const FRAME_BYTES: usize = 64 * 1024;
/// Bytes that wait to be written: a frame of ours, and answers to pings.
const WRITE_BUFFER_BYTES: usize = 2 * FRAME_BYTES;
/// A quiet client is asked for a sign of life this often.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Pings and the like within a window.
const CONTROLS_MAX: usize = 1_000;
/// The window.
const CONTROLS_WINDOW: Duration = Duration::from_secs(60);
/// For the last messages, and the close, to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whether the request asks for a WebSocket.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn lists(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
}

/// Answers the upgrade. Host and Origin were checked before: browsers ask nobody whether a page may open a WebSocket.
pub(crate) fn open(guest: &Guest, scope: Scope, sender: Identified, head: &Parts, body: RequestBody) -> Response<Body> {
    let headers = &head.headers;
    let RequestBody::Coming(_, upgrade) = body else {
        return refuse(StatusCode::BAD_REQUEST, "a WebSocket begins with a request without a body");
    };
    if head.version != Version::HTTP_11 || !lists(headers, header::CONNECTION, "upgrade") {
        return refuse(StatusCode::BAD_REQUEST, "a WebSocket begins with HTTP/1.1 and `Connection: Upgrade`");
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != WEBSOCKET_VERSION) {
        let mut response = refuse(StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13");
        let version = HeaderValue::from_static(WEBSOCKET_VERSION);
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
        return response;
    }
    if !lists(headers, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Protocol must list `mcp`");
    }
    let accept = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == KEY_LENGTH);
    let accept = accept.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok());
    let Some(accept) = accept else {
        return refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in Base64");
    };
    guest.seat(Seat { upgrade, scope, sender });
    let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    response
}

/// Serves the client that was seated.
pub(crate) async fn serve(shared: &Arc<Shared>, seat: Seat) {
    let Ok(upgraded) = seat.upgrade.await else { return };
    let stopping = shared.stopping.clone();
    let whose = (seat.scope, seat.sender);
    converse(TokioIo::new(upgraded), Arc::clone(&shared.hub), whose, &shared.limits, stopping).await;
}

/// Serves one client on `io`, behind its handshake, until it leaves, gives no sign of life, breaks the rules, is nobody any
/// more, or the hub stops.
pub async fn converse<I: AsyncRead + AsyncWrite + Unpin>(
    io: I,
    hub: Arc<Hub>,
    (scope, sender): (Scope, Identified),
    limits: &GatewayLimits,
    stopping: watch::Receiver<bool>,
) {
    let mut config = WebSocketConfig::default();
    config.read_buffer_size = READ_BUFFER_BYTES;
    config.write_buffer_size = 0;
    config.max_write_buffer_size = WRITE_BUFFER_BYTES;
    config.max_message_size = Some(limits.body_bytes_max);
    config.max_frame_size = Some(limits.body_bytes_max);
    let (sink, stream) = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await.split();
    let (conversation, queue) = Conversation::begin(hub, scope, Channel::WebSocket, sender.clone());
    let mut writing = Box::pin(write(sink, queue));
    let mut reading = Box::pin(read(stream, conversation, sender, limits.header_timeout, stopping));
    let (code, reason) = tokio::select! {
        // Nothing can be said any more: what runs is cancelled with the conversation.
        _ = writing.as_mut() => return,
        why = reading.as_mut() => why,
    };
    drop(reading);
    // What was to be said is said, then why it ends.
    let _said = tokio::time::timeout(LAST_WORDS, async {
        if let Some(mut sink) = writing.await {
            say(&mut sink, Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
        }
    })
    .await;
}

/// Hears what the client says, until there is a reason to close.
async fn read<I: AsyncRead + AsyncWrite + Unpin>(
    mut stream: SplitStream<WebSocketStream<I>>,
    mut conversation: Conversation,
    sender: Identified,
    patience: Duration,
    mut stopping: watch::Receiver<bool>,
) -> (CloseCode, &'static str) {
    // A client that never begins is none; one that has begun need only be alive.
    let mut until = Instant::now() + patience;
    let (mut begun, mut controls, mut since) = (false, 0, Instant::now());
    let over = conversation.over();
    let why = loop {
        let next = tokio::select! {
            next = tokio::time::timeout_at(until, stream.next()) => next,
            _ = stopping.wait_for(|stop| *stop) => break (CloseCode::Away, "the hub stops"),
            () = over.notified() => break (CloseCode::Away, "there is no server or profile of that name any more"),
            _ = sender.ended() => break (CloseCode::Policy, "the token has ended: log in again"),
        };
        let message = match next {
            Err(_) if begun => break (CloseCode::Policy, "no sign of life"),
            Err(_) => break (CloseCode::Policy, "no message came"),
            Ok(None) => break (CloseCode::Normal, ""),
            Ok(Some(Err(Error::Capacity(_)))) => break (CloseCode::Size, "the message is too large"),
            Ok(Some(Err(Error::Utf8(_)))) => break (CloseCode::Invalid, "the message is no UTF-8"),
            Ok(Some(Err(_))) => break (CloseCode::Protocol, "that is no WebSocket"),
            Ok(Some(Ok(message))) => message,
        };
        match message {
            Message::Text(text) => {
                begun = true;
                conversation.hear(Bytes::from(text)).await;
            }
            Message::Binary(_) => break (CloseCode::Unsupported, "messages are text"),
            Message::Close(_) => break (CloseCode::Normal, ""),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                controls += 1;
                if since.elapsed() > CONTROLS_WINDOW {
                    (controls, since) = (0, Instant::now());
                } else if controls > CONTROLS_MAX {
                    break (CloseCode::Policy, "pings without end");
                }
            }
        }
        if begun {
            until = Instant::now() + PING_INTERVAL + patience;
        }
    };
    if why.0 == CloseCode::Away {
        conversation.drained().await;
    }
    conversation.end().await;
    why
}

/// Says what is to be said; the sink, when there is no more, or nothing when the client is gone.
async fn write<I: AsyncRead + AsyncWrite + Unpin>(
    mut sink: SplitSink<WebSocketStream<I>, Message>,
    mut queue: mpsc::Receiver<Bytes>,
) -> Option<SplitSink<WebSocketStream<I>, Message>> {
    loop {
        match tokio::time::timeout(PING_INTERVAL, queue.recv()).await {
            Err(_) => say(&mut sink, Message::Ping(Bytes::new())).await?,
            Ok(None) => return Some(sink),
            Ok(Some(mut message)) => {
                let mut code = OpCode::Data(Data::Text);
                while message.len() > FRAME_BYTES {
                    let part = message.split_to(FRAME_BYTES);
                    say(&mut sink, Message::Frame(Frame::message(part, code, false))).await?;
                    code = OpCode::Data(Data::Continue);
                }
                say(&mut sink, Message::Frame(Frame::message(message, code, true))).await?;
            }
        }
    }
}

/// Says one thing; nothing, when nothing can be said any more.
async fn say<I: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<WebSocketStream<I>, Message>,
    message: Message,
) -> Option<()> {
    if sink.send(message).await.is_ok() {
        return Some(());
    }
    // Who has said goodbye is owed one (RFC 6455 section 5.5.1): it waits to be written.
    let _client_gone = sink.flush().await;
    None
}
