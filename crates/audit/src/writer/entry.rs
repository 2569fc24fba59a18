//! What the writer takes from the queue: an event with its time, as fields of a record.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::event::Event;
use crate::keys::Identity;
use crate::record::Field;
use crate::who::Who;

/// A record to be.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) time_us: u64,
    pub(super) fields: Vec<Field>,
    /// Whose the personal fields are.
    pub(super) identity: Option<Identity>,
    /// Whether it is written in clear.
    pub(super) plain: bool,
}

impl Entry {
    pub(super) fn of(time_us: u64, who: &Who, event: Event) -> Self {
        let fields: Vec<Field> = event.into_fields(who).into_iter().map(Field::from).collect();
        let at = UNIX_EPOCH + Duration::from_micros(time_us);
        let identity = fields.iter().any(|field| field.personal).then(|| Identity::at(who, at));
        Self { time_us, fields, identity, plain: false }
    }
}

/// Microseconds since 1970, UTC.
pub(super) fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
