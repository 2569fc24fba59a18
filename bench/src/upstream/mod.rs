//! A trivial, fast MCP server over Streamable HTTP: what stands behind every gateway that is measured.
//!
//! It speaks the session eras and 2026-07-28, refuses what a correct server refuses (a gateway probes for the era by
//! it), and does nothing else: what it costs is taken off nobody's account.

mod body;
mod legacy;
mod message;
mod modern;
pub(crate) mod stdio;
mod tools;

use crate::upstream::body::ReplyBody;
use crate::upstream::message::{Answered, Message, Refusal};
use anyhow::Context;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// A request's body may be this long.
const BODY_BYTES_MAX: usize = 16 << 20;

/// The eras an upstream answers in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Speaks {
    /// As the request asks.
    Both,
    /// Sessions only; a request of 2026-07-28 is refused as an older server refuses it.
    Legacy,
    /// 2026-07-28 only.
    Modern,
}

/// `omni-bench upstream`
#[derive(Args)]
pub(crate) struct UpstreamArgs {
    /// Address to listen at
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Answer on standard input and output instead
    #[arg(long)]
    pub(crate) stdio: bool,
    /// Tools in the list, `echo` and `blob` among them
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(crate) tools: u32,
    /// Length of the text the tool `blob` answers with
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    pub(crate) payload: usize,
    /// Answer requests with an event stream of one event instead of JSON
    #[arg(long)]
    pub(crate) sse: bool,
    /// Protocol eras to answer in
    #[arg(long, value_enum, default_value = "both")]
    pub(crate) era: Speaks,
}

/// Everything a connection needs to answer.
pub(crate) struct Upstream {
    sessions: legacy::Sessions,
    tools: tools::Tools,
    sse: bool,
    speaks: Speaks,
}

/// Serves until the process ends.
pub(crate) async fn serve(args: &UpstreamArgs) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen at {}", args.listen))?;
    serve_on(listener, Upstream::new(args)).await
}

/// Serves the connections of `listener`.
pub(crate) async fn serve_on(listener: TcpListener, upstream: Upstream) -> anyhow::Result<()> {
    let upstream = Arc::new(upstream);
    loop {
        let (stream, _) = listener.accept().await.context("accept failed")?;
        let _ = stream.set_nodelay(true);
        let upstream = Arc::clone(&upstream);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| answer(&upstream, request));
            // A connection that breaks is its client's affair.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Upstream {
    /// An upstream as the arguments say.
    pub(crate) fn new(args: &UpstreamArgs) -> Self {
        Self {
            sessions: legacy::Sessions::default(),
            tools: tools::Tools::new(args.payload, args.tools as usize),
            sse: args.sse,
            speaks: args.era,
        }
    }
}

async fn answer(upstream: &Upstream, request: Request<Incoming>) -> Result<Response<ReplyBody>, Infallible> {
    if !matches!(request.uri().path(), "/mcp" | "/") {
        return Ok(empty(StatusCode::NOT_FOUND));
    }
    Ok(match *request.method() {
        Method::POST => post(upstream, request).await,
        Method::GET => match upstream.sessions.find(text(request.headers(), "mcp-session-id")) {
            Ok(_) => event_stream(ReplyBody::Idle),
            Err(refusal) => refused(&refusal, None),
        },
        Method::DELETE => match upstream.sessions.find(text(request.headers(), "mcp-session-id")) {
            Ok(number) => {
                upstream.sessions.end(number);
                empty(StatusCode::NO_CONTENT)
            }
            Err(refusal) => refused(&refusal, None),
        },
        _ => empty(StatusCode::METHOD_NOT_ALLOWED),
    })
}

async fn post(upstream: &Upstream, request: Request<Incoming>) -> Response<ReplyBody> {
    let (head, body) = request.into_parts();
    if !text(&head.headers, "content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let accept = text(&head.headers, "accept").unwrap_or("");
    let both = accept.contains("application/json") && accept.contains("text/event-stream");
    if !both && !accept.contains("*/*") {
        return empty(StatusCode::NOT_ACCEPTABLE);
    }
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let body = body.to_bytes();
    let message = match read(&body) {
        Ok(message) => message,
        Err(refusal) => return refused(&refusal, None),
    };
    match dispatch(upstream, &message, &head.headers) {
        Ok(Answered::Accepted) => empty(StatusCode::ACCEPTED),
        Ok(Answered::Message(body)) => upstream.answered(body),
        Ok(Answered::Opened(session, body)) => {
            let mut response = upstream.answered(body);
            if let Ok(session) = HeaderValue::from_str(&session) {
                response.headers_mut().insert("mcp-session-id", session);
            }
            response
        }
        Err(refusal) => refused(&refusal, message.request_id()),
    }
}

fn read(body: &[u8]) -> Result<Message<'_>, Refusal> {
    // serde would take an array for a struct's members in order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Refusal::new(400, -32600, "batches are not served"));
    }
    let message: Message<'_> = serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            Refusal::new(400, -32600, "not a JSON-RPC message of this server's methods")
        } else {
            Refusal::new(400, -32700, "not JSON")
        }
    })?;
    let response = message.result.is_some() || message.error.is_some();
    if message.jsonrpc != "2.0" || (message.method.is_empty() && !response) {
        return Err(Refusal::new(400, -32600, "not a JSON-RPC 2.0 message"));
    }
    Ok(message)
}

fn dispatch(upstream: &Upstream, message: &Message<'_>, headers: &HeaderMap) -> Result<Answered, Refusal> {
    let version = text(headers, "mcp-protocol-version");
    let meta = message.params.as_ref().and_then(|params| params.meta.as_ref());
    let modern = meta.is_some_and(|meta| meta.protocol_version.is_some())
        || version == Some(modern::REVISION)
        || message.method == "server/discover";
    match upstream.speaks {
        Speaks::Modern if !modern => Err(modern::unsupported(version.unwrap_or("2025-03-26"))),
        Speaks::Both | Speaks::Modern if modern => {
            let (method, name) = (text(headers, "mcp-method"), text(headers, "mcp-name"));
            modern::answer(&upstream.tools, message, &modern::Headers { version, method, name })
        }
        _ => {
            let session = text(headers, "mcp-session-id");
            legacy::answer(&upstream.sessions, &upstream.tools, message, session, version)
        }
    }
}

impl Upstream {
    fn answered(&self, body: Vec<u8>) -> Response<ReplyBody> {
        if !self.sse {
            return json(StatusCode::OK, body);
        }
        let mut event = Vec::with_capacity(body.len() + 32);
        event.extend_from_slice(b"event: message\ndata: ");
        event.extend_from_slice(&body);
        event.extend_from_slice(b"\n\n");
        event_stream(ReplyBody::whole(event))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn refused(refusal: &Refusal, id: Option<&str>) -> Response<ReplyBody> {
    json(StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST), refusal.body(id))
}

fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn event_stream(body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn empty(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(Bytes::new()));
    *response.status_mut() = status;
    response
}
