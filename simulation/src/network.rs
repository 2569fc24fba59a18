//! The simulated network: names lead to simulated servers, and some connections do not come about, or not for long.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use omni_egress::{Dial, Dialing, Io};

use crate::book::Book;
use crate::chance::Chance;
use crate::lives::Lives;
use crate::plan::Plan;
use crate::planted::Planted;
use crate::server::Server;
use crate::service::serve;
use crate::wire::{Fate, Near, Wire};

/// Bytes after which a connection breaks or stalls, at most: about three exchanges.
const FATE_BYTES: u64 = 4_000;
/// Longer than any deadline of the hub's.
const NEVER: Duration = Duration::from_secs(3_600);

/// The simulated network.
#[derive(Debug)]
pub(crate) struct Network {
    servers: Mutex<BTreeMap<String, Arc<Server>>>,
    chance: Chance,
    /// Set once nothing is to go wrong any more.
    quiet: std::sync::atomic::AtomicBool,
    /// Tells those that stalled.
    calm: Arc<Lives>,
    plan: Plan,
    book: Book,
}

impl Network {
    pub(crate) fn new(plan: &Plan, chance: Chance, book: &Book) -> Arc<Self> {
        Arc::new(Self {
            servers: Mutex::default(),
            chance,
            quiet: false.into(),
            calm: Arc::default(),
            plan: plan.clone(),
            book: book.clone(),
        })
    }

    pub(crate) fn add(&self, host: &str, server: &Arc<Server>) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), Arc::clone(server));
    }

    /// From now on every connection comes about and stays.
    pub(crate) fn calm_down(&self) {
        self.quiet.store(true, std::sync::atomic::Ordering::Relaxed);
        self.calm.end_one();
    }

    fn is_quiet(&self) -> bool {
        self.quiet.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn fate(&self) -> Fate {
        if self.is_quiet() || !self.chance.percent(self.plan.broken) {
            return Fate::Whole;
        }
        let after = usize::try_from(self.chance.below(FATE_BYTES)).unwrap_or(0);
        if self.chance.percent(25) { Fate::Stalls(after) } else { Fate::Breaks(after) }
    }
}

/// The network as egress sees it.
#[derive(Debug)]
pub(crate) struct Dialer(pub(crate) Arc<Network>);

impl Dial for Dialer {
    fn dial(&self, host: &str, _port: u16) -> Dialing {
        let (network, host) = (Arc::clone(&self.0), host.to_owned());
        Box::pin(async move {
            let refused = || Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            tokio::time::sleep(network.chance.ms(20)).await;
            if !network.is_quiet() && network.chance.percent(network.plan.refused) {
                if network.chance.percent(20) {
                    tokio::time::sleep(NEVER).await;
                }
                return refused();
            }
            let server = network.servers.lock().unwrap_or_else(PoisonError::into_inner).get(&host).cloned();
            let Some(server) = server.filter(|server| !server.is_down()) else { return refused() };
            let room = 64 + usize::try_from(network.chance.below(8_192)).unwrap_or(0);
            let (near, far) = tokio::io::duplex(room);
            let fate = network.fate();
            let wire = Wire::new(far, fate, server.lives(), &network.calm);
            tokio::spawn(serve(server, TokioIo::new(wire)));
            network.book.note(&format!("a connection to {host} is open: {fate:?}"));
            if network.plan.has(Planted::ConnectionKept) {
                let kept = network.book.opened();
                tokio::spawn(async move {
                    tokio::time::sleep(NEVER).await;
                    drop(kept);
                });
            }
            Ok(Box::new(Near { inner: near, _open: network.book.opened() }) as Box<dyn Io>)
        })
    }
}
