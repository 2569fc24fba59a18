//! One connection, and what its requests have in common.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::upgrade::OnUpgrade;
use omni_hub::Scope;

use crate::http::shared::Shared;

/// One connection.
pub(crate) struct Guest {
    pub(crate) shared: Arc<Shared>,
    seat: Mutex<Option<Seat>>,
}

/// A WebSocket that takes over the connection once its upgrade is answered.
pub(crate) struct Seat {
    pub(crate) upgrade: OnUpgrade,
    pub(crate) scope: Scope,
}

impl Guest {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, seat: Mutex::default() }
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
