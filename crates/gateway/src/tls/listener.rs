//! The handshake with one client.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::files::{TlsError, load};
use crate::tls::settings::TlsSettings;

/// The first byte of a TLS connection: a record of type handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;
/// For who speaks HTTP where TLS is spoken.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\
Content-Length: 47\r\n\r\nThis port speaks TLS: write https:// or wss://\n";

/// TLS as it is configured at this moment.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(super) settings: TlsSettings,
    pub(super) current: ArcSwap<ServerConfig>,
}

/// A connection that speaks TLS.
pub(crate) struct Handshake {
    pub(crate) stream: TlsStream<TcpStream>,
    /// Whether client and hub agreed on HTTP/2 (ALPN, RFC 7301).
    pub(crate) http2: bool,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn build(settings: TlsSettings) -> Result<Arc<Self>, TlsError> {
        let config = load(&settings)?;
        Ok(Arc::new(Self { settings, current: ArcSwap::new(config) }))
    }

    /// Speaks TLS with the client, which has `patience` for it; `None` when it does not, or takes longer.
    pub(crate) async fn accept(&self, stream: TcpStream, patience: Duration) -> Option<Handshake> {
        match tokio::time::timeout(patience, self.shake(stream)).await {
            Ok(Ok(handshake)) => handshake,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a client's TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("a client's TLS handshake took too long");
                None
            }
        }
    }

    async fn shake(&self, mut stream: TcpStream) -> std::io::Result<Option<Handshake>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Ok(None);
        }
        if first[0] != HANDSHAKE {
            if first[0].is_ascii_uppercase() {
                stream.write_all(PLAIN_HTTP).await?;
                stream.shutdown().await?;
            }
            return Ok(None);
        }
        let stream = TlsAcceptor::from(self.current.load_full()).accept(stream).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Some(Handshake { stream, http2 }))
    }
}
