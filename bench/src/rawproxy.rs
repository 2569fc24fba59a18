//! The baseline: the least a reverse proxy on hyper can do. It reads no JSON, streams both bodies, and keeps
//! its connections to the upstream.

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self as client, SendRequest};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};
use tokio::net::{TcpListener, TcpStream};

/// Connections kept for the next request; what comes back to a full pool is closed.
const IDLE_CONNECTIONS_MAX: usize = 256;

/// Headers of one hop, which end here (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// `omni-bench rawproxy`
#[derive(Args)]
pub(crate) struct RawProxyArgs {
    /// Address to listen at
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// The upstream
    #[arg(long, value_name = "ADDR")]
    to: SocketAddr,
    /// Worker threads of the runtime; as many as CPUs, unless TOKIO_WORKER_THREADS or this says otherwise
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// Idle connections to one upstream.
struct Pool {
    upstream: SocketAddr,
    idle: Mutex<Vec<SendRequest<Incoming>>>,
}

/// Serves until the process ends.
pub(crate) async fn serve(args: &RawProxyArgs) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen at {}", args.listen))?;
    serve_on(listener, args.to).await
}

/// Passes the connections of `listener` on.
pub(crate) async fn serve_on(listener: TcpListener, upstream: SocketAddr) -> anyhow::Result<()> {
    let pool = Arc::new(Pool { upstream, idle: Mutex::default() });
    loop {
        let (stream, _) = listener.accept().await.context("accept failed")?;
        let _ = stream.set_nodelay(true);
        let pool = Arc::clone(&pool);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| pass(&pool, request));
            // A connection that breaks is its client's affair.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn pass(pool: &Arc<Pool>, mut request: Request<Incoming>) -> Result<Response<Passed>, Infallible> {
    strip(request.headers_mut());
    // An upstream is asked in origin form: path and query, no authority.
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    let Ok(mut sender) = pool.take().await else { return Ok(bad_gateway()) };
    match sender.send_request(request).await {
        Ok(mut response) => {
            strip(response.headers_mut());
            let pool = Arc::clone(pool);
            Ok(response.map(|inner| Passed { inner: Some(inner), ended: false, lender: Some((sender, pool)) }))
        }
        Err(_) => Ok(bad_gateway()),
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn bad_gateway() -> Response<Passed> {
    let mut response = Response::new(Passed { inner: None, ended: true, lender: None });
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

impl Pool {
    /// A connection ready for a request: the one used last, or a new one.
    async fn take(&self) -> anyhow::Result<SendRequest<Incoming>> {
        while let Some(mut sender) = self.pop() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = TcpStream::connect(self.upstream).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = client::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn pop(&self) -> Option<SendRequest<Incoming>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, sender: SendRequest<Incoming>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(sender);
        }
    }
}

/// An upstream's body on its way through; its connection goes back to the pool at the end of it.
struct Passed {
    inner: Option<Incoming>,
    ended: bool,
    lender: Option<(SendRequest<Incoming>, Arc<Pool>)>,
}

impl Body for Passed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(inner).poll_frame(context));
        this.ended |= frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        // A body left half-read leaves its connection unusable: it is closed by not being kept.
        if (self.ended || self.is_end_stream())
            && let Some((sender, pool)) = self.lender.take()
        {
            pool.give(sender);
        }
    }
}
