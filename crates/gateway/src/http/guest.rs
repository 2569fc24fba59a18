//! One connection, and what its requests have in common.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::upgrade::OnUpgrade;
use omni_hub::{Certified, Identified, Scope};

use crate::http::pace::Budget;
use crate::http::shared::Shared;

/// One connection.
pub(crate) struct Guest {
    pub(crate) shared: Arc<Shared>,
    /// Where the connection comes from.
    pub(crate) address: IpAddr,
    /// Whose certificate the client showed in the handshake. It counts on this connection and on no other.
    certified: Option<Certified>,
    seat: Mutex<Option<Seat>>,
    /// What it may send beside requests; HTTP/2 alone can.
    pub(crate) budget: Option<Arc<Budget>>,
}

/// Who is at the other end, as far as the connection tells.
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) certified: Option<Certified>,
}

/// A WebSocket that takes over the connection once its upgrade is answered.
pub(crate) struct Seat {
    pub(crate) upgrade: OnUpgrade,
    pub(crate) scope: Scope,
    pub(crate) sender: Identified,
}

impl Guest {
    pub(crate) fn new(shared: Arc<Shared>, peer: Peer, budget: Option<Arc<Budget>>) -> Self {
        Self { shared, address: peer.address, certified: peer.certified, seat: Mutex::default(), budget }
    }

    /// Whose certificate was shown.
    pub(crate) const fn certified(&self) -> Option<&Certified> {
        self.certified.as_ref()
    }

    /// So many bytes were a request's.
    pub(crate) fn used(&self, bytes: usize) {
        if let Some(budget) = &self.budget {
            budget.used(bytes);
        }
    }

    /// Gives the connection over to a WebSocket.
    pub(crate) fn seat(&self, seat: Seat) {
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(seat);
    }

    /// The WebSocket that the connection was given over to.
    pub(crate) fn take_seat(&self) -> Option<Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
