//! Making one connection: name, TCP, TLS, HTTP handshake.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::Io;
use crate::error::EgressError;
use crate::guard::is_public;
use crate::http1::Http1;
use crate::stream::Stream;
use crate::target::Target;

/// A connection on which requests can be sent.
#[derive(Debug)]
pub(crate) enum Connection {
    /// One request at a time.
    Http1(Http1),
    /// Many at a time.
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Idle HTTP/2 connections are asked for a sign of life this often.
const KEEP_ALIVE_S: u64 = 20;

/// After this silence a peer is asked by TCP whether it is there, so often, with such pauses: a minute in all.
const SILENT: Duration = Duration::from_secs(30);
const PROBE_PAUSE: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;

/// What TLS offers to speak within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// HTTP/2, or HTTP/1.1.
    Any,
    /// HTTP/1.1 alone, from which a WebSocket is opened.
    Http1,
    /// Nothing that has a name there.
    None,
}

pub(crate) async fn connect(target: &Target) -> Result<Connection, EgressError> {
    if let Some(other) = &target.dial {
        let refused = |e: std::io::Error| EgressError::Connect { authority: target.authority(), why: e.to_string() };
        let stream = other.dial(&target.host, target.port).await.map_err(refused)?;
        return Ok(Connection::Http1(Http1::new(Stream::Other(Mutex::new(stream)))));
    }
    let stream = dial(target).await?;
    if !target.tls {
        return Ok(Connection::Http1(Http1::new(Stream::Plain(stream))));
    }
    let stream = tls(target, stream, Alpn::Any).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        handshake_http2(target, TokioIo::new(stream)).await
    } else {
        Ok(Connection::Http1(Http1::new(Stream::Tls(Box::new(stream)))))
    }
}

/// A connection for something else than HTTP.
pub type Channel = Box<dyn Io>;

/// Opens a channel to the host and port of `target`, over TLS where its address says `https`.
///
/// # Errors
/// When it cannot be reached, or is not who it should be.
pub async fn channel(target: &Target) -> Result<Channel, EgressError> {
    dial_plain_or_tls(target, Alpn::None).await
}

/// A connection without anything spoken on it yet.
pub(crate) async fn dial_plain_or_tls(target: &Target, alpn: Alpn) -> Result<Box<dyn Io>, EgressError> {
    if let Some(other) = &target.dial {
        let refused = |e: std::io::Error| EgressError::Connect { authority: target.authority(), why: e.to_string() };
        return other.dial(&target.host, target.port).await.map_err(refused);
    }
    let stream = dial(target).await?;
    Ok(if target.tls { Box::new(tls(target, stream, alpn).await?) } else { Box::new(stream) })
}

async fn tls(target: &Target, stream: TcpStream, alpn: Alpn) -> Result<TlsStream<TcpStream>, EgressError> {
    let fail = |why: String| EgressError::Tls { authority: target.authority(), why };
    let name = ServerName::try_from(target.host.clone()).map_err(|e| fail(e.to_string()))?;
    tls_connector(target, alpn).map_err(fail)?.connect(name, stream).await.map_err(|e| fail(e.to_string()))
}

async fn dial(target: &Target) -> Result<TcpStream, EgressError> {
    let addresses = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|e| EgressError::Resolve { host: target.host.clone(), why: e.to_string() })?;
    let mut last = None;
    for address in addresses {
        if target.public_only && !is_public(address.ip()) {
            last = Some(std::io::Error::other(
                "its name leads to this machine or its network, where nothing is fetched from",
            ));
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small messages must not wait for larger ones to come.
                let _unsupported = stream.set_nodelay(true);
                // A stream may be silent for hours: that nobody is there any more only the system finds out.
                let alive = TcpKeepalive::new().with_time(SILENT).with_interval(PROBE_PAUSE).with_retries(PROBES);
                let _unsupported = SockRef::from(&stream).set_tcp_keepalive(&alive);
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    let why = last.map_or_else(|| "the name has no address".to_owned(), |e| e.to_string());
    Err(EgressError::Connect { authority: target.authority(), why })
}

async fn handshake_http2<I>(target: &Target, io: TokioIo<I>) -> Result<Connection, EgressError>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(hyper_util::rt::TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(KEEP_ALIVE_S))
        .handshake(io)
        .await
        .map_err(|e| EgressError::Connect { authority: target.authority(), why: e.to_string() })?;
    drive(connection);
    Ok(Connection::Http2(sender))
}

/// Runs a connection until it ends.
fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to a server ended");
        }
    });
}

/// TLS with the target's own root certificates, or the system's, which are read at first use: most hubs at home never need them.
fn tls_connector(target: &Target, alpn: Alpn) -> Result<TlsConnector, String> {
    static SYSTEM: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    let config = match &target.roots {
        Some(roots) => client_config(Arc::clone(roots)),
        None => SYSTEM.get_or_init(|| client_config(Arc::new(system_roots()?))).clone(),
    };
    config.map(|config| match alpn {
        Alpn::Any => TlsConnector::from(config),
        Alpn::Http1 | Alpn::None => {
            let mut config = rustls::ClientConfig::clone(&config);
            config.alpn_protocols = if alpn == Alpn::Http1 { vec![b"http/1.1".to_vec()] } else { Vec::new() };
            TlsConnector::from(Arc::new(config))
        }
    })
}

fn system_roots() -> Result<rustls::RootCertStore, String> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    match added {
        0 => Err("this system has no root certificates (on Debian: package ca-certificates)".to_owned()),
        _ => Ok(roots),
    }
}

fn client_config(roots: Arc<rustls::RootCertStore>) -> Result<Arc<rustls::ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
