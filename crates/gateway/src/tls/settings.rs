//! The section `gateway.tls` of `omni.yaml` as it is written.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS of the listener. Files are PEM; relative paths start at the folder of the configuration file. Files that change
/// are taken over within seconds, without a connection being dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The hub's certificate, followed by those between it and the authority.
    pub certificate: PathBuf,
    /// The key of the certificate. Nobody but the hub's user should be able to read it.
    pub key: PathBuf,
    /// The oldest version of TLS that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Certificates of clients (mutual TLS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificates: Option<ClientCertificateSettings>,
}

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246) and 1.3.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 (RFC 8446) alone.
    #[default]
    #[serde(rename = "1.3")]
    V1_3,
}

/// Which certificates of clients are believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificateSettings {
    /// Certificates of the authorities that may vouch for clients.
    pub authorities: PathBuf,
    /// Whether a client without a certificate is refused in the handshake. With `false` it may log in another way.
    #[serde(default = "yes")]
    pub required: bool,
    /// Revocation lists (RFC 5280), PEM or DER. When some are named, a certificate whose issuer has none in them, and a
    /// list that is out of date, are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocation_lists: Vec<PathBuf>,
}

const fn yes() -> bool {
    true
}

impl TlsSettings {
    /// The same with relative paths starting at `folder`.
    #[must_use]
    pub fn beside(mut self, folder: &Path) -> Self {
        for path in self.paths_mut() {
            *path = folder.join(&*path);
        }
        self
    }

    /// Every file that is read.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let clients = self.client_certificates.as_ref();
        let of_clients = clients.into_iter().flat_map(|c| std::iter::once(&c.authorities).chain(&c.revocation_lists));
        [&self.certificate, &self.key].into_iter().chain(of_clients).map(PathBuf::as_path).collect()
    }

    fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let clients = self.client_certificates.as_mut();
        let of_clients =
            clients.into_iter().flat_map(|c| std::iter::once(&mut c.authorities).chain(&mut c.revocation_lists));
        [&mut self.certificate, &mut self.key].into_iter().chain(of_clients)
    }
}
