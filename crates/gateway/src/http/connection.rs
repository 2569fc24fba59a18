//! One connection: TLS where it is configured, HTTP/1.1 or HTTP/2 by ALPN or first bytes, each with deadlines that fire.

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::request::Parts;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::http::body::Body;
use crate::http::endpoint::answer;
use crate::http::guest::{Guest, Peer};
use crate::http::http1::{self, Handed};
use crate::http::incoming::RequestBody;
use crate::http::pace::{Budget, Paced, give_up_after};
use crate::http::shared::Shared;
use crate::http::streams::Streams;
use crate::http::websocket;
use crate::tls::{Handshake, Tls};

/// The first bytes of HTTP/2 without TLS (RFC 9113 section 3.4). No HTTP/1.1 method begins so.
const HTTP2_PREFACE: &[u8] = b"PRI * HT";
/// Between two looks at a preface that comes in pieces.
const PEEK_PAUSE: Duration = Duration::from_millis(5);
/// Streams of one HTTP/2 connection at a time.
const HTTP2_STREAMS_MAX: u32 = 128;
/// Streams that a client opens and resets, or that break a rule, before its connection is closed.
const HTTP2_RESETS_MAX: usize = 32;
/// Bytes of one body, and of all of them, that a client may send ahead of their reader.
const HTTP2_STREAM_WINDOW: u32 = 256 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of one answer that wait for the client to take them.
const HTTP2_SEND_BUFFER: usize = 64 * 1024;
/// Between two looks at whether a connection still is of use.
const HTTP2_LOOK_MIN: Duration = Duration::from_millis(100);
/// Bytes of all headers of one request.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// An idle HTTP/2 connection is asked for a sign of life this often, and closed when it gives none.
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);

/// How a connection ended.
type Served = Result<(), Box<dyn Error + Send + Sync>>;

pub(crate) async fn serve(stream: TcpStream, address: SocketAddr, shared: Arc<Shared>) {
    // Small messages must not wait for larger ones to come.
    let _unsupported = stream.set_nodelay(true);
    let patience = shared.limits.header_timeout;
    give_up_after(&stream, patience);
    let outcome = match shared.tls.clone() {
        // Boxed: what TLS needs is not carried by the many that come without.
        Some(tls) => Box::pin(serve_tls(&tls, stream, address.ip(), shared)).await,
        None => match tokio::time::timeout(patience, is_http2(&stream)).await {
            // hyper's own sniffing has no deadline, so the first bytes are looked at here. Boxed for the same reason.
            Ok(Ok(true)) => Box::pin(serve_http2(stream, plain(address.ip()), shared)).await.map_err(Into::into),
            Ok(Ok(false)) => serve_http1(stream, plain(address.ip()), shared).await,
            Ok(Err(_)) | Err(_) => return,
        },
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, %address, "a client's connection ended");
    }
}

async fn serve_tls(tls: &Tls, stream: TcpStream, address: IpAddr, shared: Arc<Shared>) -> Served {
    let Some(Handshake { stream, http2 }) = tls.accept(stream, shared.limits.header_timeout).await else {
        return Ok(());
    };
    let shown = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
    let authenticator = shared.hub.authenticator();
    let certified = shown.first().and_then(|own| authenticator.certified(own));
    let peer = Peer { address, certified };
    let served = async {
        if http2 { Ok(serve_http2(stream, peer, shared).await?) } else { serve_http1(stream, peer, shared).await }
    };
    tokio::select! {
        served = served => served,
        () = tls.taken_back(&shown), if !shown.is_empty() => {
            tracing::info!(%address, "a connection is closed: its client's certificate is not believed any more");
            Ok(())
        }
        // What a certificate says is found out once for a connection.
        () = authenticator.superseded(), if !shown.is_empty() => Ok(()),
    }
}

/// Of a connection on which no certificate was shown.
const fn plain(address: IpAddr) -> Peer {
    Peer { address, certified: None }
}

async fn is_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0u8; HTTP2_PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        if seen == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if !HTTP2_PREFACE.starts_with(&first[..seen]) {
            return Ok(false);
        }
        if seen == first.len() {
            return Ok(true);
        }
        tokio::time::sleep(PEEK_PAUSE).await;
    }
}

async fn serve_http1<S>(stream: S, peer: Peer, shared: Arc<Shared>) -> Served
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let guest = Arc::new(Guest::new(shared, peer, None));
    let (limits, stopping) = (&guest.shared.limits, guest.shared.stopping.clone());
    let stream = Paced::new(stream, limits.header_timeout, ());
    let asked = Arc::clone(&guest);
    let answering = move |head: Arc<Parts>, body| {
        let guest = Arc::clone(&asked);
        async move {
            let turn = guest.shared.turns.begin();
            let response = answer(&guest, &head, body).await;
            turn.together().await;
            response
        }
    };
    match http1::serve(stream, limits, stopping, answering).await? {
        None => Ok(()),
        // Boxed: what it needs is not carried by the many that go on plain.
        Some(handed) => Ok(Box::pin(hand_over(handed, Arc::clone(&guest))).await?),
    }
}

/// Goes on with a connection on which a request came that is not plain.
async fn hand_over<S>(handed: Handed<Paced<S, ()>>, guest: Arc<Guest>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(guest.shared.limits.header_timeout)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(handed.stream.ahead(handed.ahead)), service(Arc::clone(&guest)))
        .with_upgrades();
    until_stopped(connection, |its| its.graceful_shutdown(), guest.shared.stopping.clone()).await?;
    if let Some(seat) = guest.take_seat() {
        // In this task, so that the connection's slot is held and the drain waits for it.
        Box::pin(websocket::serve(&guest.shared, seat)).await;
    }
    Ok(())
}

async fn serve_http2<S>(stream: S, peer: Peer, shared: Arc<Shared>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let patience = shared.limits.header_timeout;
    let (budget, streams) = (Arc::new(Budget::new()), Arc::new(Streams::new()));
    let guest = Arc::new(Guest::new(shared, peer, Some(Arc::clone(&budget))));
    let turns = Arc::clone(&streams);
    let its = Arc::clone(&guest);
    let service = service_fn(move |request| {
        let (guest, turn) = (Arc::clone(&its), turns.begin());
        guest.used(HEADER_BYTES_MAX);
        async move { Ok::<_, Infallible>(ask(&guest, request).await.map(|body| turn.answer(body))) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(patience)
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(HTTP2_RESETS_MAX)
        .max_local_error_reset_streams(HTTP2_RESETS_MAX)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .serve_connection(TokioIo::new(Paced::new(stream, patience, budget)), service);
    tokio::select! {
        done = until_stopped(connection, |its| its.graceful_shutdown(), guest.shared.stopping.clone()) => done,
        why = over(&streams, patience) => {
            tracing::debug!(why, "a client's HTTP/2 connection is closed");
            Ok(())
        }
    }
}

/// Returns when the connection has to go. Answers to pings are no reason to keep it.
async fn over(streams: &Streams, patience: Duration) -> &'static str {
    loop {
        tokio::select! {
            () = tokio::time::sleep((patience / 4).max(HTTP2_LOOK_MIN)) => {}
            () = streams.abused() => return "too many requests were taken back",
        }
        if let Some(why) = streams.is_over(patience) {
            return why;
        }
    }
}

/// Serves until the client leaves, or the hub is asked to stop: then what is in flight may finish.
async fn until_stopped<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    stopping: watch::Receiver<bool>,
) -> hyper::Result<()> {
    let mut connection = std::pin::pin!(connection);
    let mut heard = stopping.clone();
    let mut stop = std::pin::pin!(heard.wait_for(|stop| *stop));
    // A connection is polled several times a call and stops once: whether it shall is asked only where something has
    // changed, and once at first, so that a change wakes this task.
    let mut asks = true;
    let done = std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        if asks || stopping.has_changed().unwrap_or(true) {
            asks = false;
            return stop.as_mut().poll(cx).map(|_| None);
        }
        Poll::Pending
    })
    .await;
    if let Some(done) = done {
        return done;
    }
    shut_down(connection.as_mut());
    connection.await
}

async fn ask(guest: &Guest, mut request: http::Request<Incoming>) -> http::Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    answer(guest, &head, RequestBody::Coming(body, upgrade)).await
}

fn service(
    guest: Arc<Guest>,
) -> impl hyper::service::Service<
    http::Request<Incoming>,
    Response = http::Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<http::Response<Body>, Infallible>> + Send + 'static,
> {
    service_fn(move |request| {
        let guest = Arc::clone(&guest);
        async move { Ok(ask(&guest, request).await) }
    })
}
