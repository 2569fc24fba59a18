//! Accepting connections, bounded in number, until the hub is asked to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use omni_hub::{Bases, Hub};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::http::channels::Channels;
use crate::http::connection::serve;
use crate::http::door::Door;
use crate::http::shared::{GatewayLimits, Shared};
use crate::http::turns::Turns;
use crate::settings::{GatewaySettings, exposed};
use crate::tls::{Tls, TlsError};

/// For calls that are ended when their time to finish is over to tell their clients so.
const LAST_ANSWERS_WAIT: Duration = Duration::from_secs(1);
/// After an accept that failed (out of descriptors, for one), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is none.
    #[error("gateway.listen: `{0}` is no address with a port, such as 127.0.0.1:8420")]
    Address(String),
    /// The address is not on this machine alone.
    #[error("gateway.listen: {0} can be reached from other machines, and {1}")]
    Exposed(SocketAddr, &'static str),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refuses.
    #[error("cannot listen on {address}: {source}{}", hint(source))]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another program (perhaps another hub) listens there: choose another with --listen"
        }
        _ => "",
    }
}

impl Gateway {
    /// Binds the listener that `settings` describe. `logins` tells whether clients from other machines have to log in.
    ///
    /// # Errors
    /// When the address is none, can be reached from elsewhere, or is taken.
    pub async fn bind(
        settings: &GatewaySettings,
        logins: bool,
        hub: Arc<Hub>,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, GatewayError> {
        let address: SocketAddr =
            settings.listen.parse().map_err(|_| GatewayError::Address(settings.listen.clone()))?;
        if let Some(why) = exposed(settings, address, logins) {
            return Err(GatewayError::Exposed(address, why));
        }
        let tls = settings.tls.clone().map(Tls::build).transpose()?;
        let bind = |source| GatewayError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let limits = GatewayLimits::build(settings);
        let own = || Bases::of_listener(address, tls.is_some());
        let bases = settings.public_url.as_deref().map_or_else(own, Bases::of);
        let door = Door::new(&settings.allowed_hosts, &settings.allowed_origins);
        Ok(Self {
            listener,
            address,
            shared: Arc::new(Shared {
                hub,
                door,
                bases,
                limits,
                tls,
                behind_proxy: settings.behind_proxy,
                stopping,
                turns: Turns::default(),
                channels: Channels::default(),
            }),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the hub is asked to stop and its calls have finished, or their time is over.
    pub async fn serve(self) {
        let slots = Arc::new(Semaphore::new(self.shared.limits.connections_max));
        let mut stopping = self.shared.stopping.clone();
        let mut connections = tokio::task::JoinSet::new();
        if let Some(tls) = self.shared.tls.clone() {
            tokio::spawn(tls.follow(self.shared.stopping.clone()));
        }
        loop {
            while connections.try_join_next().is_some() {}
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            let Ok(slot) = slot else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let shared = Arc::clone(&self.shared);
                    connections.spawn(async move {
                        serve(stream, peer, shared).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        let mut drained = async |limit| {
            let drained = async { while connections.join_next().await.is_some() {} };
            tokio::time::timeout(limit, drained).await.is_ok()
        };
        if !drained(self.shared.limits.drain_timeout).await {
            tracing::warn!("calls that are still in flight are ended");
            self.shared.hub.end_calls();
            drained(LAST_ANSWERS_WAIT).await;
        }
    }
}
