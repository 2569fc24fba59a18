//! Which profile somebody chose: kept on the disk, in force at once, by principal.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use omni_profiles::ProfileName;
use omni_store::Store;
use omni_types::Principal;

/// Choices that are in force; of more, the latest.
pub(crate) const CHOICES_MAX: usize = 100_000;

/// The choices.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    pub(crate) store: OnceLock<Store>,
    pub(crate) in_force: ArcSwap<HashMap<String, ProfileName>>,
    unknown: AtomicBool,
    were_read: AtomicBool,
    /// One change at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

/// Under what a principal's choice is kept: nobody's name stands in the table.
pub(crate) fn key(principal: &Principal) -> String {
    digest(&SHA256, principal.binding().as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Choices {
    /// What is kept was read.
    pub(crate) fn read(&self) {
        self.were_read.store(true, Ordering::Relaxed);
        self.unknown.store(false, Ordering::Relaxed);
    }

    /// What is kept could not be read. Who chose what is unknown until it can be, unless it was known before.
    pub(crate) fn not_read(&self) {
        if !self.were_read.load(Ordering::Relaxed) {
            self.unknown.store(true, Ordering::Relaxed);
        }
    }

    /// Whether somebody may have chosen a profile without its being known.
    pub(crate) fn are_unknown(&self) -> bool {
        self.unknown.load(Ordering::Relaxed)
    }

    /// What `principal` chose.
    pub(crate) fn of(&self, principal: &Principal) -> Option<ProfileName> {
        let all = self.in_force.load();
        if all.is_empty() {
            return None;
        }
        all.get(&key(principal)).cloned()
    }
}
