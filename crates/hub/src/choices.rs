//! Which profile somebody chose: kept on the disk, in force at once, by principal.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use omni_profiles::ProfileName;
use omni_store::Store;
use omni_types::Principal;

/// Choices that are in force, the latest ones; whose is not among them, where there are more, is shown nothing.
pub(crate) const CHOICES_MAX: usize = 100_000;

/// The choices.
#[derive(Debug)]
pub(crate) struct Choices {
    pub(crate) store: OnceLock<Store>,
    /// By the chooser's key; `None` of a choice that names no profile.
    in_force: ArcSwap<HashMap<String, Option<ProfileName>>>,
    /// [`CHOICES_MAX`], in tests fewer.
    pub(crate) max: usize,
    unknown: AtomicBool,
    overfull: AtomicBool,
    were_read: AtomicBool,
    /// One change at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

/// What somebody chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Nothing.
    None,
    /// This profile.
    Profile(ProfileName),
    /// That cannot be known.
    Unknown,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            store: OnceLock::new(),
            in_force: ArcSwap::default(),
            max: CHOICES_MAX,
            unknown: AtomicBool::new(false),
            overfull: AtomicBool::new(false),
            were_read: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

/// Under what a principal's choice is kept: nobody's name stands in the table. It is made once a login.
pub(crate) fn key(principal: &Principal) -> &str {
    principal.kept_as(|binding| omni_types::hex(digest(&SHA256, binding.as_bytes()).as_ref()))
}

impl Choices {
    /// Puts what is kept in force, the latest first; whether anything is another one now.
    pub(crate) fn take(&self, mut rows: Vec<(String, String)>) -> bool {
        let overfull = rows.len() > self.max;
        if overfull {
            tracing::error!(
                max = self.max,
                "more people chose a profile than are known at a time: /mcp shows the others nothing"
            );
        }
        rows.truncate(self.max);
        let all: HashMap<_, _> = rows.into_iter().map(|(who, name)| (who, ProfileName::parse(&name).ok())).collect();
        let other = **self.in_force.load() != all || self.overfull.load(Ordering::SeqCst) != overfull;
        // Some of them are never looked at as if they were all.
        if overfull {
            self.overfull.store(true, Ordering::SeqCst);
        }
        self.in_force.store(Arc::new(all));
        self.overfull.store(overfull, Ordering::SeqCst);
        self.were_read.store(true, Ordering::Relaxed);
        self.unknown.store(false, Ordering::SeqCst);
        other
    }

    /// Puts one choice in force.
    pub(crate) fn put(&self, who: &str, profile: Option<&ProfileName>) {
        let mut all = HashMap::clone(&self.in_force.load());
        match profile {
            Some(profile) => all.insert(who.to_owned(), Some(profile.clone())),
            None => all.remove(who),
        };
        if all.len() > self.max
            && let Some(other) = all.keys().find(|other| *other != who).cloned()
        {
            self.overfull.store(true, Ordering::SeqCst);
            all.remove(&other);
        }
        self.in_force.store(Arc::new(all));
    }

    /// What is kept could not be read. Who chose what is unknown until it can be, unless it was known before.
    pub(crate) fn not_read(&self) {
        if !self.were_read.load(Ordering::Relaxed) {
            self.unknown.store(true, Ordering::SeqCst);
        }
    }

    /// Whether somebody may have chosen a profile without its being known.
    pub(crate) fn are_unknown(&self) -> bool {
        self.unknown.load(Ordering::SeqCst)
    }

    /// What `principal` chose.
    pub(crate) fn of(&self, principal: &Principal) -> Choice {
        if self.are_unknown() {
            return Choice::Unknown;
        }
        let all = self.in_force.load();
        if all.is_empty() {
            return Choice::None;
        }
        match all.get(key(principal)) {
            Some(Some(name)) => Choice::Profile(name.clone()),
            Some(None) => Choice::Unknown,
            None if self.overfull.load(Ordering::SeqCst) => Choice::Unknown,
            None => Choice::None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_profiles::ProfileName;
    use omni_types::Principal;

    use super::{Choice, Choices, key};

    /// CFG-8: whose choice did not find room, and whose choice names nothing, is not shown everything.
    #[test]
    fn cfg_8_choices_beyond_the_bound_open_nothing() {
        let choices = Choices { max: 2, ..Choices::default() };
        let people: Vec<Principal> = ["ann", "bob", "cy", "di"].map(Principal::local).into();
        let row = |at: usize, name: &str| (key(&people[at]).to_owned(), name.to_owned());
        let known = |name: &str| Choice::Profile(ProfileName::parse(name).unwrap());
        assert_eq!(choices.of(&people[0]), Choice::None);
        assert!(choices.take(vec![row(0, "p"), row(1, "q"), row(2, "r")]));
        let now = || people.iter().map(|one| choices.of(one)).collect::<Vec<_>>();
        assert_eq!(now(), [known("p"), known("q"), Choice::Unknown, Choice::Unknown]);
        choices.put(key(&people[3]), Some(&ProfileName::parse("s").unwrap()));
        assert_eq!(now()[3], known("s"));
        assert_eq!(now().iter().filter(|choice| **choice == Choice::Unknown).count(), 2);
        assert!(choices.take(vec![row(0, "no name"), row(1, "q")]));
        assert_eq!(now(), [Choice::Unknown, known("q"), Choice::None, Choice::None]);
        assert!(!choices.take(vec![row(0, "no name"), row(1, "q")]));
    }

    /// CFG-8: a principal's key is made once, however often it is asked for.
    #[test]
    fn cfg_8_a_choosers_key_is_made_once() {
        let ann = Principal::local("ann");
        assert!(std::ptr::eq(key(&ann), key(&ann.clone())));
        assert_eq!(key(&ann), key(&Principal::local("ann")));
        assert_ne!(key(&ann), key(&Principal::local("bob")));
    }
}
