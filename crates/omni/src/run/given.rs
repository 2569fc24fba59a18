//! What the servers that run were given: each filling by itself, since a server may have several processes of different age.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use omni_secrets::{Held, Template};
use omni_types::ServerName;

/// Texts as they are written, and filled.
pub(crate) type Texts = BTreeMap<String, (Template, Held)>;

/// Different fillings of one server between two replacements of it: each rotation replaces it within seconds.
const FILLINGS_MAX: usize = 64;

/// A moment: what was given before it can be told from what is given after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

/// What was given to whom.
#[derive(Debug, Default)]
pub(crate) struct Given(Mutex<Fillings>);

#[derive(Debug, Default)]
struct Fillings {
    last: u64,
    by_server: HashMap<ServerName, Vec<(u64, Texts)>>,
}

impl Given {
    /// `server` was given `texts`.
    ///
    /// # Errors
    /// When so many different ones are with it already that they could not all be watched.
    pub(crate) fn add(&self, server: &ServerName, texts: Texts) -> Result<(), String> {
        let mut given = self.lock();
        given.last += 1;
        let number = given.last;
        let fillings = given.by_server.entry(server.clone()).or_default();
        let same = |one: &Texts| {
            one.len() == texts.len()
                && one.iter().zip(&texts).all(|((a, x), (b, y))| a == b && x.1.expose() == y.1.expose())
        };
        if let Some(known) = fillings.iter_mut().find(|(_, one)| same(one)) {
            known.0 = number;
            return Ok(());
        }
        if fillings.len() >= FILLINGS_MAX {
            return Err(format!("its secrets changed {FILLINGS_MAX} times before it could be replaced: try again"));
        }
        fillings.push((number, texts));
        Ok(())
    }

    /// Now.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.lock().last)
    }

    /// What `server` was given until `mark` is with nobody that goes on.
    pub(crate) fn forget(&self, server: &ServerName, mark: Mark) {
        let mut given = self.lock();
        if let Some(fillings) = given.by_server.get_mut(server) {
            fillings.retain(|(number, _)| *number > mark.0);
        }
        given.by_server.retain(|_, fillings| !fillings.is_empty());
    }

    /// All of it.
    pub(crate) fn all(&self) -> Vec<(ServerName, Texts)> {
        let given = self.lock();
        let each = given.by_server.iter();
        each.flat_map(|(server, all)| all.iter().map(|(_, texts)| (server.clone(), texts.clone()))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Fillings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
