//! The `admin` section of `omni.yaml` as it is written.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::TlsSettings;

/// The admin API beyond its Unix socket: over TLS, for who logs in (`auth`) and whom policy lets (`admin/*`). Without this section
/// there is the socket alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminSettings {
    /// Address and port of the listener, such as 127.0.0.1:8421.
    pub listen: String,
    /// TLS of the listener, with a certificate of its own or the gateway's. There is no listener without.
    pub tls: TlsSettings,
    /// The address by which administrators know the listener where it is not that of `listen`, e.g.
    /// `https://hub.example.com:8421`. Tokens are issued for it, with the path `/admin/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
}

impl AdminSettings {
    /// The same with relative paths starting at `folder`.
    #[must_use]
    pub fn beside(self, folder: &Path) -> Self {
        Self { tls: self.tls.beside(folder), ..self }
    }
}
