//! Calls that were let go without an answer. Their server may be at work on them still, and ask something about them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Calls remembered at a time.
const CALLS_MAX: usize = 1_024;
/// For how long. A server that heeds a cancellation never answers, so that nothing tells when it is done.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Calls that were let go without an answer, in the order of their end.
#[derive(Debug, Default)]
pub(crate) struct LetGo(VecDeque<(u64, Instant)>);

impl LetGo {
    /// `call` was cancelled, or waited for too long.
    pub(crate) fn remember(&mut self, call: u64) {
        while self.0.front().is_some_and(|(_, at)| at.elapsed() >= REMEMBERED_FOR) || self.0.len() >= CALLS_MAX {
            self.0.pop_front();
        }
        if !self.0.iter().any(|(id, _)| *id == call) {
            self.0.push_back((call, Instant::now()));
        }
    }

    /// Its answer came after all. `true` when it was remembered.
    pub(crate) fn answered(&mut self, call: u64) -> bool {
        let at = self.0.iter().position(|(id, _)| *id == call);
        at.and_then(|at| self.0.remove(at)).is_some()
    }

    /// Whether a question may be about one of them, so that it belongs to nobody.
    pub(crate) fn may_ask(&self) -> bool {
        self.0.back().is_some_and(|(_, at)| at.elapsed() < REMEMBERED_FOR)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::time::Instant;

    use super::{CALLS_MAX, LetGo, REMEMBERED_FOR};

    #[test]
    fn trb_4_calls_let_go_are_bounded_and_forgotten() {
        let mut let_go = LetGo::default();
        assert!(!let_go.may_ask());
        for call in 0..2_000 {
            let_go.remember(call);
        }
        let_go.remember(1_999);
        assert!(let_go.0.len() <= CALLS_MAX);
        assert!(!let_go.answered(0) && let_go.answered(1_998) && !let_go.answered(1_998));
        let long_ago = Instant::now().checked_sub(REMEMBERED_FOR).unwrap();
        let_go.0.iter_mut().for_each(|(_, at)| *at = long_ago);
        assert!(!let_go.may_ask());
        let_go.remember(3_000);
        assert_eq!(let_go.0.len(), 1);
        assert!(let_go.may_ask() && let_go.answered(3_000) && !let_go.may_ask());
    }
}
