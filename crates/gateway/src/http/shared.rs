//! What every connection of a listener has to know.

use std::sync::Arc;
use std::time::Duration;

use omni_hub::{Bases, Hub};
use tokio::sync::watch;

use crate::admin::{AdminService, BODY_BYTES_MAX};
use crate::http::channels::Channels;
use crate::http::door::Door;
use crate::http::turns::Turns;
use crate::settings::GatewaySettings;
use crate::tls::Tls;

/// Bounds of the listener.
#[derive(Debug, Clone, Copy)]
pub struct GatewayLimits {
    /// Connections at a time.
    pub connections_max: usize,
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// For the head of a request.
    pub header_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
}

/// What every connection has to know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    pub(crate) door: Door,
    /// The origins by which clients know the hub.
    pub(crate) bases: Bases,
    pub(crate) limits: GatewayLimits,
    pub(crate) tls: Option<Arc<Tls>>,
    /// Whether a proxy stands before the hub and tells where clients are.
    pub(crate) behind_proxy: bool,
    pub(crate) stopping: watch::Receiver<bool>,
    /// Requests over HTTP/1.1 that are being answered.
    pub(crate) turns: Turns,
    /// Open channels of the HTTP+SSE transport.
    pub(crate) channels: Channels,
    /// Set where the listener is the admin API's, and nothing else's.
    pub(crate) admin: Option<AdminService>,
}

/// Connections to the admin API over the network at a time; those to its socket have room of their own.
const ADMIN_CONNECTIONS_MAX: usize = 256;
/// For the head and for the body of a request to it.
const ADMIN_PATIENCE: Duration = Duration::from_secs(10);

impl GatewayLimits {
    /// Those of the admin API.
    pub(crate) const fn of_admin() -> Self {
        Self {
            connections_max: ADMIN_CONNECTIONS_MAX,
            body_bytes_max: BODY_BYTES_MAX,
            header_timeout: ADMIN_PATIENCE,
            body_timeout: ADMIN_PATIENCE,
        }
    }

    /// Reads the settings.
    #[must_use]
    pub fn build(settings: &GatewaySettings) -> Self {
        Self {
            connections_max: settings.connections_max,
            body_bytes_max: settings.body_bytes_max,
            header_timeout: Duration::from_secs(settings.header_timeout_s),
            body_timeout: Duration::from_secs(settings.body_timeout_s),
        }
    }
}
