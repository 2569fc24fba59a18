//! The handshake with one client.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::files::{Loaded, TlsError, load};
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
    /// By what an operator knows them.
    pub(super) section: &'static str,
    pub(super) current: watch::Sender<Loaded>,
}

/// A connection that speaks TLS.
pub(crate) struct Handshake {
    pub(crate) stream: TlsStream<TcpStream>,
    /// Whether client and hub agreed on HTTP/2 (ALPN, RFC 7301).
    pub(crate) http2: bool,
}

impl Tls {
    /// Reads the files that the section `section` names.
    pub(crate) fn build(settings: TlsSettings, section: &'static str) -> Result<Arc<Self>, TlsError> {
        let loaded = load(&settings).map_err(|error| TlsError { section, ..error })?;
        Ok(Arc::new(Self { settings, section, current: watch::Sender::new(loaded) }))
    }

    /// Returns when `shown`, which a client's handshake was done with, is believed no longer: the files have changed.
    pub(crate) async fn taken_back(&self, shown: &[CertificateDer<'static>]) {
        let mut current = self.current.subscribe();
        let Some((own, between)) = shown.split_first() else { return std::future::pending().await };
        loop {
            let clients = current.borrow_and_update().clients.clone();
            let believed =
                clients.is_some_and(|clients| clients.verify_client_cert(own, between, UnixTime::now()).is_ok());
            if !believed || current.changed().await.is_err() {
                return;
            }
        }
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
        let config = Arc::clone(&self.current.borrow().config);
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Some(Handshake { stream, http2 }))
    }
}
