//! Keys of a log that are held for the length of one reading, since each is asked for with every record.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::error::LogError;
use crate::keys::Keys;
use crate::record::{KeyId, KeySource, Seal};

/// Keys held at once; then all are asked for again.
const HELD_MAX: usize = 65_536;

/// Keys that are held. Whoever reads on and on lets go of them now and then ([`HeldKeys::let_go`]), so that a person who was
/// erased is erased there too.
#[derive(Debug)]
pub(crate) struct HeldKeys {
    keys: Keys,
    data: RefCell<HashMap<KeyId, Arc<Seal>>>,
    persons: RefCell<HashMap<KeyId, Option<Arc<Seal>>>>,
}

impl HeldKeys {
    pub(crate) fn new(keys: Keys) -> Self {
        Self { keys, data: RefCell::default(), persons: RefCell::default() }
    }

    /// The secret that the keys of indexes come from.
    pub(crate) fn index_secret(&self) -> [u8; 32] {
        self.keys.index_key()
    }

    pub(crate) fn let_go(&self) {
        self.persons.borrow_mut().clear();
    }
}

impl KeySource for HeldKeys {
    fn data_key(&self, id: &KeyId) -> Result<Arc<Seal>, LogError> {
        if let Some(key) = self.data.borrow().get(id) {
            return Ok(Arc::clone(key));
        }
        let key = self.keys.data_key(id)?;
        hold(&mut self.data.borrow_mut(), *id, Arc::clone(&key));
        Ok(key)
    }

    fn person_key(&self, id: &KeyId) -> Result<Option<Arc<Seal>>, LogError> {
        if let Some(key) = self.persons.borrow().get(id) {
            return Ok(key.clone());
        }
        let key = self.keys.person_key(id)?;
        hold(&mut self.persons.borrow_mut(), *id, key.clone());
        Ok(key)
    }
}

fn hold<T>(held: &mut HashMap<KeyId, T>, id: KeyId, key: T) {
    if held.len() == HELD_MAX {
        held.clear();
    }
    held.insert(id, key);
}
