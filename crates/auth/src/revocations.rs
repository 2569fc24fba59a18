//! Tokens and subjects that are refused from now on, whatever else speaks for them (row AUTH-4): effective at once here.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

/// Entries that are kept; with more, whoever adds one is told.
const ENTRIES_MAX: usize = 100_000;

/// What is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Revocation {
    /// One token, by its `jti`; or a key or local token by its id, which has no issuer.
    Token {
        /// Whose token.
        issuer: Option<String>,
        /// Its id.
        id: String,
    },
    /// Every token of one subject that was issued up to a moment; one that does not say when it was issued is among them.
    Subject {
        /// Whose subject.
        issuer: Option<String>,
        /// The principal's id.
        subject: String,
        /// Seconds since 1970.
        issued_until: u64,
    },
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{ENTRIES_MAX} revocations are in force, which is all that are kept")]
pub struct TooManyRevocations;

/// The list in force. Clones are handles of the same list.
#[derive(Debug, Clone, Default)]
pub struct Revocations {
    inner: Arc<Inner>,
    /// Which settings of logins it was made for, counted from the start.
    epoch: u64,
}

#[derive(Debug, Default)]
struct Inner {
    /// Of the settings in force: who was let in by earlier ones has to show again who they are.
    epoch: AtomicU64,
    /// Counts changes, so that who was found clean is looked up again only after one.
    generation: AtomicU64,
    /// Nobody can tell what is on it.
    lost: AtomicBool,
    /// Told of each.
    changed: Notify,
    listed: RwLock<Listed>,
}

type Key = (Option<String>, String);

#[derive(Debug, Default)]
struct Listed {
    tokens: HashSet<Key>,
    subjects: HashMap<Key, u64>,
}

impl Revocations {
    /// Refuses what `revocation` names, from now on.
    ///
    /// # Errors
    /// When too many are in force.
    pub fn add(&self, revocation: Revocation) -> Result<(), TooManyRevocations> {
        let mut listed = self.inner.listed.write().unwrap_or_else(PoisonError::into_inner);
        if listed.tokens.len() + listed.subjects.len() >= ENTRIES_MAX {
            return Err(TooManyRevocations);
        }
        match revocation {
            Revocation::Token { issuer, id } => {
                listed.tokens.insert((issuer, id));
            }
            Revocation::Subject { issuer, subject, issued_until } => {
                let until = listed.subjects.entry((issuer, subject)).or_default();
                *until = (*until).max(issued_until);
            }
        }
        drop(listed);
        self.inner.generation.fetch_add(1, Ordering::Release);
        self.inner.changed.notify_waiters();
        Ok(())
    }

    /// Takes a revocation back, e.g. when what it names has expired.
    pub fn remove(&self, revocation: &Revocation) {
        let mut listed = self.inner.listed.write().unwrap_or_else(PoisonError::into_inner);
        match revocation {
            Revocation::Token { issuer, id } => {
                listed.tokens.remove(&(issuer.clone(), id.clone()));
            }
            Revocation::Subject { issuer, subject, .. } => {
                listed.subjects.remove(&(issuer.clone(), subject.clone()));
            }
        }
    }

    /// A handle for the settings that come after those of this one.
    pub(crate) fn next(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), epoch: self.epoch.saturating_add(1) }
    }

    /// A handle for who is let in whatever the settings are.
    pub(crate) fn forever(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), epoch: u64::MAX }
    }

    /// From now on those who were let in by earlier settings are let in no more.
    pub(crate) fn put_in_force(&self) {
        self.inner.epoch.fetch_max(self.epoch, Ordering::Release);
        self.inner.generation.fetch_add(1, Ordering::Release);
        self.inner.changed.notify_waiters();
    }

    /// Whether later settings are in force.
    pub(crate) fn is_superseded(&self) -> bool {
        self.epoch < self.inner.epoch.load(Ordering::Acquire)
    }

    /// Nobody can tell any more what is on the list: whoever somebody else vouches for is refused.
    pub fn lost(&self) {
        self.inner.lost.store(true, Ordering::Release);
        self.inner.generation.fetch_add(1, Ordering::Release);
        self.inner.changed.notify_waiters();
    }

    /// The list is whole again.
    pub fn found(&self) {
        self.inner.lost.store(false, Ordering::Release);
    }

    /// Whether nobody can tell what is on the list.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.inner.lost.load(Ordering::Acquire)
    }

    /// How often it has changed.
    pub(crate) fn generation(&self) -> u64 {
        self.inner.generation.load(Ordering::Acquire)
    }

    /// What wakes up at the next change; it has to be enabled before one looks.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.inner.changed.notified()
    }

    /// Whether a token is refused.
    pub(crate) fn covers(&self, issuer: Option<&str>, id: Option<&str>, subject: &str, issued_at: Option<u64>) -> bool {
        let listed = self.inner.listed.read().unwrap_or_else(PoisonError::into_inner);
        if listed.tokens.is_empty() && listed.subjects.is_empty() {
            return false;
        }
        let key = |text: &str| (issuer.map(str::to_owned), text.to_owned());
        id.is_some_and(|id| listed.tokens.contains(&key(id)))
            || listed.subjects.get(&key(subject)).is_some_and(|until| issued_at.is_none_or(|at| at <= *until))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Revocation, Revocations};

    #[test]
    fn auth_4_a_revocation_covers_what_it_names_and_nothing_else() {
        let list = Revocations::default();
        let issuer = Some("https://idp".to_owned());
        list.add(Revocation::Token { issuer: issuer.clone(), id: "a".into() }).unwrap();
        let one = Some("https://idp");
        assert!(list.covers(one, Some("a"), "ann", None));
        assert!(!list.covers(one, Some("b"), "ann", None) && !list.covers(None, Some("a"), "ann", None));
        list.add(Revocation::Subject { issuer: issuer.clone(), subject: "ann".into(), issued_until: 10 }).unwrap();
        list.add(Revocation::Subject { issuer: issuer.clone(), subject: "ann".into(), issued_until: 5 }).unwrap();
        assert!(list.covers(one, None, "ann", Some(10)) && list.covers(one, None, "ann", None));
        assert!(!list.covers(one, None, "ann", Some(11)) && !list.covers(one, None, "bob", Some(1)));
        list.remove(&Revocation::Subject { issuer, subject: "ann".into(), issued_until: 0 });
        assert!(!list.covers(one, None, "ann", Some(10)));
        assert_eq!(list.generation(), 3);
    }
}
