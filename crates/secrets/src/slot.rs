//! What is kept of each reference: the value, or why there is none, and one who asks at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::SecretError;
use crate::held::Held;
use crate::local::Stamp;
use crate::reference::Reference;
use crate::settings::ProviderName;

/// Values kept at a time.
const KEPT_MAX: usize = 4_096;

/// Between two looks at what cannot be had.
const LOOK_PAUSE: Duration = Duration::from_secs(10);

/// A value that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) held: Held,
    pub(crate) provider: ProviderName,
    pub(crate) stamp: Stamp,
    pub(crate) since: Instant,
}

/// What is known of one reference.
#[derive(Debug, Default)]
pub(crate) enum Last {
    /// Nothing.
    #[default]
    Nothing,
    /// Its value.
    Value(Kept),
    /// It could not be had when it was asked for last: so are told all who waited for that answer, and nobody later.
    Fault(SecretError, Instant),
}

impl Last {
    /// The failure that those who `came` at that time waited for; and whoever only looks whether something changed is told of one
    /// again for a while, so that nobody who refuses is asked at each look.
    pub(crate) fn awaited(&self, came: Instant, only_looks: bool) -> Option<&SecretError> {
        let Self::Fault(error, since) = self else { return None };
        let is_missing = matches!(error, SecretError::Missing { .. });
        (came < *since || only_looks && !is_missing && since.elapsed() < LOOK_PAUSE).then_some(error)
    }
}

/// One reference's place: who comes while it is being asked for waits for the same answer.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Last>>;

/// The places of all references.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<HashMap<Reference, Slot>>);

impl Slots {
    /// The place of one.
    pub(crate) fn of(&self, place: &Reference) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT_MAX && !slots.contains_key(place) {
            // Names are written by the operator, so this many are a fault; one that nobody waits for makes room.
            let idle = slots.iter().find(|(_, slot)| Arc::strong_count(slot) == 1).map(|(place, _)| place.clone());
            if let Some(idle) = idle {
                slots.remove(&idle);
            }
        }
        Arc::clone(slots.entry(place.clone()).or_default())
    }

    /// Lets go of values that were kept for `ttl`, and of failures.
    pub(crate) fn sweep(&self, ttl: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, slot| {
            // One that is being asked for is in use.
            let Ok(last) = slot.try_lock() else { return true };
            matches!(&*last, Last::Value(kept) if kept.since.elapsed() < ttl)
        });
    }
}
