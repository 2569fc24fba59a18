//! TLS by authorities and a certificate of the caller's choice, for one address, instead of the system's.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::dial::{Dial, Dialing, Io};

/// What is believed and shown; each is text in PEM.
#[derive(Clone, Copy, Default)]
pub struct OwnTls<'a> {
    /// Certificates of authorities; `None` for the system's.
    pub authorities: Option<&'a [u8]>,
    /// The certificate that is shown, with those between it and its authority, and its key.
    pub identity: Option<(&'a [u8], &'a [u8])>,
}

#[derive(Debug)]
struct Dialer(Arc<ClientConfig>);

impl OwnTls<'_> {
    /// What makes connections so, for HTTP/1.1.
    ///
    /// # Errors
    /// What is wrong with the texts.
    pub fn dial(self) -> Result<Arc<dyn Dial>, String> {
        let mut roots = RootCertStore::empty();
        match self.authorities {
            Some(text) => certificates(text)?.into_iter().try_for_each(|one| roots.add(one)).map_err(said)?,
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(said)?;
        let builder = builder.with_root_certificates(roots);
        let config = match self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("no key in PEM: {error}"))?;
                builder.with_client_auth_cert(certificates(chain)?, key).map_err(said)?
            }
        };
        Ok(Arc::new(Dialer(Arc::new(config))))
    }
}

impl Dial for Dialer {
    fn dial(&self, host: &str, port: u16) -> Dialing {
        let (connector, host) = (TlsConnector::from(Arc::clone(&self.0)), host.to_owned());
        Box::pin(async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            Ok(Box::new(connector.connect(name, stream).await?) as Box<dyn Io>)
        })
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| "no certificate in PEM".to_owned())
}

fn said(error: rustls::Error) -> String {
    error.to_string()
}
