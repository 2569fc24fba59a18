//! What was declared wrong while something was being made: it is given to who waits for it, and not kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::key::Tag;

/// Declarations remembered. Who began before the oldest of them keeps nothing.
const REMEMBERED_MAX: usize = 1_024;

/// A moment in the order of what was declared wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// The declarations.
#[derive(Debug, Default)]
pub(crate) struct Epochs(Mutex<Declared>);

#[derive(Debug, Default)]
struct Declared {
    now: u64,
    /// The last ones, oldest first; `None` is everything.
    last: VecDeque<(u64, Option<Tag>)>,
}

impl Epochs {
    pub(crate) fn now(&self) -> Epoch {
        Epoch(self.0.lock().unwrap_or_else(PoisonError::into_inner).now)
    }

    /// What bears `tag`, or everything, is wrong from now on.
    pub(crate) fn declare(&self, tag: Option<Tag>) {
        let mut declared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        declared.now += 1;
        let now = declared.now;
        declared.last.push_back((now, tag));
        if declared.last.len() > REMEMBERED_MAX {
            declared.last.pop_front();
        }
    }

    /// Whether something whose making began at `began` is still right.
    pub(crate) fn holds(&self, began: Epoch, tags: &[Tag]) -> bool {
        let declared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if declared.now == began.0 {
            return true;
        }
        let remembered = declared.last.front().is_some_and(|(oldest, _)| *oldest <= began.0 + 1);
        let concerns = |tag: &Option<Tag>| tag.is_none_or(|tag| tags.contains(&tag));
        remembered && !declared.last.iter().any(|(at, tag)| *at > began.0 && concerns(tag))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::{Epochs, REMEMBERED_MAX};
    use crate::key::Tag;

    /// CACHE-4: what was declared wrong while it was made is not kept, also when that was long ago.
    #[test]
    fn cache_4_what_became_wrong_meanwhile_does_not_hold() {
        let (epochs, a, b) = (Epochs::default(), Tag::of(&["a"]), Tag::of(&["b"]));
        let began = epochs.now();
        assert!(epochs.holds(began, &[a]));
        epochs.declare(Some(b));
        assert!(epochs.holds(began, &[a]) && !epochs.holds(began, &[a, b]));
        assert!(epochs.holds(epochs.now(), &[b]));
        epochs.declare(None);
        assert!(!epochs.holds(began, &[a]));
        let began = epochs.now();
        for _ in 0..REMEMBERED_MAX {
            epochs.declare(Some(b));
        }
        assert!(epochs.holds(began, &[a]));
        epochs.declare(Some(b));
        assert!(!epochs.holds(began, &[a]), "what is not remembered any more may have concerned it");
    }
}
