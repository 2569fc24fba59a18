//! WebSocket connections (RFC 6455) to servers: bounded in message, frame and what waits to be written.

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, Request};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::connect::{Alpn, dial_plain_or_tls};
use crate::dial::Io;
use crate::error::EgressError;
use crate::target::Target;

/// What is read at a time. Each connection has a buffer of this size, so an idle one must be cheap.
const READ_BUFFER_BYTES: usize = 16 * 1024;
/// Headers that the handshake itself sets.
const HANDSHAKE_HEADERS: [&str; 5] =
    ["host", "connection", "upgrade", "sec-websocket-version", "sec-websocket-protocol"];
/// Characters of a reason to close that are told.
const REASON_CHARS_MAX: usize = 200;

type Stream = WebSocketStream<Box<dyn Io>>;

/// What the server sends.
pub struct WebSocketReader(SplitStream<Stream>);

/// What is sent to it.
pub struct WebSocketWriter(SplitSink<Stream, Message>);

/// Opens a WebSocket at `target` that speaks `subprotocol`; messages of more than `message_bytes_max` end it.
///
/// # Errors
/// When no connection comes about, or the server does not agree to speak so.
pub async fn websocket(
    target: &Target,
    headers: HeaderMap,
    subprotocol: &'static str,
    message_bytes_max: usize,
) -> Result<(WebSocketReader, WebSocketWriter), EgressError> {
    let refused = |why: String| EgressError::WebSocket { authority: target.authority(), why };
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    // The handshake looks at scheme and path alone; where it goes has been settled by the connection.
    *request.uri_mut() = target.absolute_websocket().ok_or_else(|| EgressError::Address(target.authority()))?;
    *request.headers_mut() = headers;
    let own = request.headers_mut();
    for name in HANDSHAKE_HEADERS {
        own.remove(name);
    }
    own.insert(http::header::HOST, target.host_header().clone());
    own.insert(http::header::CONNECTION, HeaderValue::from_static("Upgrade"));
    own.insert(http::header::UPGRADE, HeaderValue::from_static("websocket"));
    own.insert(http::header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    own.insert(http::header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    let key = HeaderValue::try_from(generate_key()).map_err(|e| refused(e.to_string()))?;
    own.insert(http::header::SEC_WEBSOCKET_KEY, key);
    let request = request.into_client_request().map_err(|e| refused(e.to_string()))?;

    let io = dial_plain_or_tls(target, Alpn::Http1).await?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        // One whole message, and the small frames that may stand before it.
        .max_write_buffer_size(message_bytes_max + READ_BUFFER_BYTES)
        .max_message_size(Some(message_bytes_max))
        .max_frame_size(Some(message_bytes_max));
    let done = tokio_tungstenite::client_async_with_config(request, io, Some(config)).await;
    let (stream, _response) = done.map_err(|error| refused(no_handshake(&error)))?;
    let (writer, reader) = stream.split();
    Ok((WebSocketReader(reader), WebSocketWriter(writer)))
}

impl std::fmt::Debug for WebSocketReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebSocketReader")
    }
}

impl std::fmt::Debug for WebSocketWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebSocketWriter")
    }
}

impl WebSocketReader {
    /// The next message; nothing for what only shows that the server is there (pings are answered on the way).
    ///
    /// # Errors
    /// In words, how the connection ended.
    pub async fn next(&mut self) -> Result<Option<Bytes>, String> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Ok(Some(text.into())),
            Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
            Some(Ok(Message::Close(frame))) => Err(closed(frame.as_ref())),
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it closed the WebSocket".to_owned()),
        }
    }
}

impl WebSocketWriter {
    /// Sends one text message.
    ///
    /// # Errors
    /// In words, why it cannot be sent.
    pub async fn send(&mut self, text: Bytes) -> Result<(), String> {
        let text = Utf8Bytes::try_from(text).map_err(|e| e.to_string())?;
        self.0.send(Message::Text(text)).await.map_err(|e| e.to_string())
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// In words, why it cannot be asked.
    pub async fn ping(&mut self) -> Result<(), String> {
        self.0.send(Message::Ping(Bytes::new())).await.map_err(|e| e.to_string())
    }

    /// Says goodbye.
    pub async fn close(&mut self) {
        let goodbye = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        if self.0.send(Message::Close(Some(goodbye))).await.is_err() {
            // It has said goodbye first, and is owed one (RFC 6455 section 5.5.1), which waits to be written.
            let _it_may_be_gone = self.0.flush().await;
        }
    }
}

fn closed(frame: Option<&CloseFrame>) -> String {
    let Some(frame) = frame else { return "it closed the WebSocket without a code".to_owned() };
    let code = u16::from(frame.code);
    let reason: String = frame.reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    match reason.as_str() {
        "" => format!("it closed the WebSocket with code {code}"),
        reason => format!("it closed the WebSocket with code {code}: {reason}"),
    }
}

fn no_handshake(error: &Error) -> String {
    match error {
        Error::Http(response) => format!("it answered with HTTP status {}", response.status().as_u16()),
        other => other.to_string(),
    }
}
