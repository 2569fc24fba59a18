//! How soon a catalog is asked for again: a server that says "changed" without end is heard ever more slowly.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Rounds closer together than this count as one chain.
const CHAIN: Duration = Duration::from_secs(10);
/// Before the third round of a chain; the first two come at once.
const FIRST: Duration = Duration::from_millis(50);
/// At most.
const LONGEST: Duration = Duration::from_secs(30);

/// The pauses between rounds.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    rounds: u32,
    pause: Duration,
}

impl Pace {
    /// How long to wait before the next round, which begins with this call.
    pub(crate) fn next(&self) -> Duration {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = state.last.map(|last| last.elapsed().saturating_sub(state.pause));
        if since.is_none_or(|since| since > CHAIN) {
            *state = State::default();
        }
        state.last = Some(Instant::now());
        state.rounds = state.rounds.saturating_add(1);
        if state.rounds > 2 {
            state.pause = (state.pause * 2).clamp(FIRST, LONGEST);
        }
        state.pause
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST, Pace};

    #[test]
    fn a_few_changes_are_read_at_once_and_a_flood_ever_more_slowly() {
        let pace = Pace::default();
        assert_eq!((pace.next(), pace.next()), (Duration::ZERO, Duration::ZERO));
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            let next = pace.next();
            assert!(next >= last && next <= LONGEST);
            last = next;
        }
        assert_eq!(last, LONGEST);
    }
}
