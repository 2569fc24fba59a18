//! Accepting connections, bounded in number, until the hub is asked to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use omni_hub::{Bases, Hub};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::admin::{AdminService, AdminSettings};
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
    #[error("{0}: `{1}` is no address with a port, such as 127.0.0.1:8420")]
    Address(&'static str, String),
    /// Nobody has to log in.
    #[error("admin.listen: nobody has to log in to this hub (auth.mode: none), so the admin API stays on its socket")]
    NoLogins,
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

/// The address that the setting `key` says.
fn address_of(key: &'static str, text: &str) -> Result<SocketAddr, GatewayError> {
    text.parse().map_err(|_| GatewayError::Address(key, text.to_owned()))
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let bind = |source| GatewayError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    Ok((listener, address))
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
        let address = address_of("gateway.listen", &settings.listen)?;
        if let Some(why) = exposed(settings, address, logins) {
            return Err(GatewayError::Exposed(address, why));
        }
        let tls = settings.tls.clone().map(|tls| Tls::build(tls, "gateway.tls")).transpose()?;
        let (listener, address) = listen(address).await?;
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
                admin: None,
            }),
        })
    }

    /// Binds the listener of the admin API that `settings` describe, for which `service` answers: over TLS, for who logs in.
    ///
    /// # Errors
    /// When the address is none or taken, TLS cannot be spoken, or nobody has to log in to this hub.
    pub async fn bind_admin(
        settings: &AdminSettings,
        service: AdminService,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, GatewayError> {
        let hub = Arc::clone(service.hub());
        if hub.authenticator().is_trusting() {
            return Err(GatewayError::NoLogins);
        }
        let address = address_of("admin.listen", &settings.listen)?;
        let tls = Some(Tls::build(settings.tls.clone(), "admin.tls")?);
        let (listener, address) = listen(address).await?;
        let bases = settings.public_url.as_deref().map_or_else(|| Bases::of_listener(address, true), Bases::of);
        let shared = Shared {
            hub,
            // Names are not looked at here: whoever comes shows a token or certificate, and no page may.
            door: Door::new(&[], &[]),
            bases,
            limits: GatewayLimits::of_admin(),
            tls,
            behind_proxy: false,
            stopping,
            channels: Channels::default(),
            turns: Turns::default(),
            admin: Some(service),
        };
        Ok(Self { listener, address, shared: Arc::new(shared) })
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
        let limit = self.shared.hub.snapshot().drain();
        if !drained(limit).await {
            tracing::warn!("calls that are still in flight are ended");
            if self.shared.admin.is_none() {
                self.shared.hub.end_calls();
            }
            drained(LAST_ANSWERS_WAIT).await;
        }
    }
}
