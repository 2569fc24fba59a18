//! The handle on a hub that an administrator has.

use std::sync::{Arc, Mutex};

use omni_auth::{ApiKeys, Revocations};
use omni_store::{Stamp, Store};

use crate::Hub;
use crate::administration::error::AdminError;
use omni_types::random;

/// Random bytes of an id of a revocation.
const ID_BYTES: usize = 8;

/// What an administrator does with a hub. Cheap to share; made once for a hub.
#[derive(Debug)]
pub struct Administration {
    pub(super) hub: Arc<Hub>,
    pub(super) store: Option<Store>,
    pub(super) keys: ApiKeys,
    pub(super) revocations: Revocations,
    /// What of the store is in force.
    pub(super) in_force: Mutex<InForce>,
    /// Held by who changes what is kept, so that what is in force follows in the same order.
    pub(super) turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
pub(super) struct InForce {
    pub(super) stamp: Option<Stamp>,
    pub(super) revocations: Vec<omni_auth::Revocation>,
}

impl Administration {
    /// For `hub`, with what is kept in `store`. `keys` are those that its logins ask.
    #[must_use]
    pub fn new(hub: Arc<Hub>, store: Option<Store>, keys: ApiKeys) -> Self {
        let revocations = hub.authenticator().revocations().clone();
        if let Some(store) = &store {
            hub.approvals().keep_in(store.clone());
            hub.keep_choices(store.clone());
        }
        Self { hub, store, keys, revocations, in_force: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// The hub.
    #[must_use]
    pub const fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Whether what is kept could be read when it was last looked at; `None` for a hub that keeps nothing.
    #[must_use]
    pub fn is_readable(&self) -> Option<bool> {
        self.store.as_ref().map(|_| !self.revocations.is_lost())
    }

    pub(super) fn store(&self) -> Result<&Store, AdminError> {
        self.store.as_ref().ok_or(AdminError::NothingIsKept)
    }
}

pub(super) fn fresh_id() -> Result<String, AdminError> {
    let bytes = random::<ID_BYTES>().map_err(|_| AdminError::NoRandomness)?;
    Ok(omni_types::hex(&bytes))
}
