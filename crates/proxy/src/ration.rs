//! How fast a channel is read on which a server says what nobody waits for: a flood of it costs the server its own time, and
//! its neighbours nothing, since what is not read stands in its pipe.

use std::time::Duration;

use tokio::time::Instant;

/// Units a second, in the long run.
const PER_SECOND: u32 = 2_000;
/// Units at once, after a quiet time: servers log in bursts.
const BURST: u32 = 4_000;
/// Each message is one unit, and one more for so many bytes of it.
const BYTES_A_UNIT: usize = 4 * 1024;
/// Between two looks at a ration that is used up.
const REST: Duration = Duration::from_millis(50);

/// What may still be read of it.
#[derive(Debug)]
pub(crate) struct Ration {
    left: u32,
    at: Instant,
}

impl Default for Ration {
    fn default() -> Self {
        Self { left: BURST, at: Instant::now() }
    }
}

/// What a message of `bytes` that nobody waits for takes of it.
pub(crate) fn units(bytes: usize) -> u32 {
    u32::try_from(bytes / BYTES_A_UNIT).unwrap_or(BURST).min(BURST - 1) + 1
}

impl Ration {
    /// Takes `units`, and waits until they are there; at once where nothing is taken.
    pub(crate) async fn spend(&mut self, units: u32) {
        // A batch may be more than there can be at a time.
        while !self.take(units.min(BURST), Instant::now()) {
            tokio::time::sleep(REST).await;
        }
    }

    fn take(&mut self, units: u32, now: Instant) -> bool {
        if self.left < units {
            let grown = now.saturating_duration_since(self.at).as_millis() * u128::from(PER_SECOND) / 1_000;
            self.left = self.left.saturating_add(u32::try_from(grown).unwrap_or(BURST)).min(BURST);
            self.at = now;
        }
        let taken = self.left.checked_sub(units);
        self.left = taken.unwrap_or(self.left);
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BURST, PER_SECOND, REST, Ration, units};

    #[test]
    fn emg_1_a_burst_passes_at_once_and_a_flood_at_a_pace() {
        let mut ration = Ration::default();
        let began = ration.at;
        assert!((0..BURST).all(|_| ration.take(1, began)));
        assert!(!ration.take(1, began), "more than a burst at once");
        let passed = (1..=20).map(|rest| {
            let now = began + REST * rest;
            std::iter::from_fn(|| ration.take(1, now).then_some(())).count()
        });
        assert_eq!(passed.sum::<usize>(), PER_SECOND as usize, "in one second");
        let later = began + Duration::from_secs(3_600);
        assert_eq!(std::iter::from_fn(|| ration.take(1, later).then_some(())).count(), BURST as usize);
        assert!(ration.take(0, later), "an answer waits for nothing");
    }

    #[test]
    fn emg_1_large_messages_take_more_and_none_more_than_there_can_be() {
        assert_eq!((units(0), units(4095), units(4096), units(1 << 20)), (1, 1, 2, 257));
        assert_eq!(units(usize::MAX), BURST);
    }
}
