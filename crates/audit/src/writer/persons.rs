//! Keys of persons who were just written of, found without making the text that they are kept by.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use omni_types::Principal;

use crate::error::LogError;
use crate::keys::{Identity, Keys};
use crate::record::Seal;
use crate::who::{Who, day};

/// Keys held at once; then all are asked for again.
const HELD_MAX: usize = 1024;

/// Keys that are held while there is something to write.
#[derive(Debug, Default)]
pub(super) struct Persons(HashMap<Person, Arc<Seal>>);

#[derive(Debug, PartialEq, Eq, Hash)]
enum Person {
    Known(Principal),
    Anonymous(u64),
    System,
}

impl Persons {
    /// The key of whoever something happened on the account of, made and durable where there was none.
    pub(super) fn seal_of(&mut self, keys: &Keys, who: &Who, time_us: u64) -> Result<Arc<Seal>, LogError> {
        let at = UNIX_EPOCH + Duration::from_micros(time_us);
        let person = match who {
            Who::Principal(principal) => Person::Known(principal.clone()),
            Who::Anonymous => Person::Anonymous(day(at)),
            Who::System => Person::System,
        };
        if let Some(seal) = self.0.get(&person) {
            return Ok(Arc::clone(seal));
        }
        let seal = Arc::new(keys.seal_of(&Identity::at(who, at))?);
        if self.0.len() == HELD_MAX {
            self.0.clear();
        }
        self.0.insert(person, Arc::clone(&seal));
        Ok(seal)
    }

    /// Lets go of them: somebody was erased, or there is nothing to write.
    pub(super) fn let_go(&mut self) {
        self.0.clear();
    }
}
