//! The `gateway` section of `omni.yaml` as it is written.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::TlsSettings;

/// Where and how clients are received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySettings {
    /// Address and port of the listener. Beyond loopback only with `tls` and logins, or with `behind_proxy`.
    pub listen: String,
    /// TLS of the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// That a proxy before the hub speaks TLS with clients, lets in only who has logged in, and that nobody else can reach
    /// `listen`. Only then may the hub listen beyond loopback without `tls` and logins of its own.
    pub behind_proxy: bool,
    /// The address by which clients know the hub where it is not that of `listen`, e.g. `https://hub.example.com` of a proxy
    /// before it. Tokens are issued for it, with the endpoint's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Origins of web pages that may speak to the hub, beside those on this machine, e.g. `https://inspector.example`.
    pub allowed_origins: Vec<String>,
    /// Host names by which clients may address the hub, beside `localhost`, `127.0.0.1` and `[::1]`.
    pub allowed_hosts: Vec<String>,
    /// Connections at a time; further ones wait in the kernel's queue.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: usize,
    /// Bytes of a request body.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub body_bytes_max: usize,
    /// Seconds for a client to send the head of a request, to stay idle on a kept connection, to take nothing of its
    /// answer, or to say nothing on a channel that it opened.
    #[schemars(range(min = 1, max = 3600))]
    pub header_timeout_s: u64,
    /// Seconds for a client to send the body of a request.
    #[schemars(range(min = 1, max = 3600))]
    pub body_timeout_s: u64,
    /// Seconds that calls in flight have to finish when the hub is asked to stop.
    #[schemars(range(min = 0, max = 3600))]
    pub drain_timeout_s: u64,
    /// Sessions at a time (revisions before 2026-07-28).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sessions_max: usize,
    /// Seconds after which a session without requests and without an open stream is ended.
    #[schemars(range(min = 1, max = 604_800))]
    pub session_idle_timeout_s: u64,
    /// Seconds for which a session's client may come back after its connection broke: so long its calls go on, and what
    /// it missed is kept. With 0 a broken connection cancels its calls.
    #[schemars(range(min = 0, max = 3600))]
    pub resume_window_s: u64,
    /// Seconds that a call waits for what its server asked of the client, when client and server do not speak the same
    /// era; then it is cancelled.
    #[schemars(range(min = 1, max = 86_400))]
    pub input_timeout_s: u64,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8420".to_owned(),
            tls: None,
            behind_proxy: false,
            public_url: None,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            connections_max: 16_384,
            body_bytes_max: 4 * 1024 * 1024,
            header_timeout_s: 30,
            body_timeout_s: 30,
            drain_timeout_s: 10,
            sessions_max: 10_000,
            session_idle_timeout_s: 3600,
            resume_window_s: 60,
            input_timeout_s: 600,
        }
    }
}

/// Why the hub may not listen at `address`; `None` when it may. `logins` tells whether clients from other machines have
/// to say who they are.
#[must_use]
pub fn exposed(settings: &GatewaySettings, address: SocketAddr, logins: bool) -> Option<&'static str> {
    if address.ip().is_loopback() || settings.behind_proxy {
        None
    } else if settings.tls.is_none() {
        Some(
            "what is said there could be read on the way: set `gateway.tls`, or `gateway.behind_proxy` where a proxy \
             before the hub speaks TLS and lets in only who has logged in",
        )
    } else if !logins {
        Some("nobody has to log in there: configure logins under `auth`")
    } else {
        None
    }
}
