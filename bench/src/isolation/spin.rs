//! A good neighbour that uses as much of the processors as a bad server does: what is left between the two is the hub's doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// In each of these its share is used.
const PERIOD: Duration = Duration::from_millis(10);
/// Between two looks at what was used: the kernel's own count goes on in steps of a few milliseconds.
const LOOK: Duration = Duration::from_micros(200);
/// Periods that are made up for where others had the processor.
const OWED_MAX: u32 = 20;
/// Most processors that are used.
const PROCESSORS_MAX: f64 = 16.0;

/// A neighbour at work.
pub(crate) struct Spinning {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Begins to use `share` processors: 0.5 is half the time of one.
pub(crate) fn start(share: f64) -> Spinning {
    let (over, share) = (Arc::new(AtomicBool::new(false)), share.clamp(0.0, PROCESSORS_MAX));
    let mut left = share;
    let mut threads = Vec::new();
    while left > 0.0 {
        let (over, own) = (Arc::clone(&over), left.min(1.0));
        threads.push(std::thread::spawn(move || spin(&over, own)));
        left -= own;
    }
    Spinning { over, threads }
}

impl Spinning {
    /// Ends it.
    pub(crate) fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ended = thread.join();
        }
    }
}

fn spin(over: &AtomicBool, share: f64) {
    let (began, before) = (Instant::now(), used());
    while !over.load(Ordering::Relaxed) {
        let period = Instant::now();
        let wanted = began.elapsed().mul_f64(share);
        let owed = wanted.saturating_sub(used().saturating_sub(before)).min(PERIOD * OWED_MAX);
        let target = used() + owed;
        while used() < target && !over.load(Ordering::Relaxed) {
            let look = Instant::now();
            while look.elapsed() < LOOK {
                std::hint::spin_loop();
            }
        }
        std::thread::sleep(PERIOD.saturating_sub(period.elapsed()));
    }
}

/// What this thread has used, by the scheduler's count.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::start;
    use crate::process::own_ns;
    use std::time::{Duration, Instant};

    #[test]
    fn emg_1_it_uses_its_share_and_no_more() {
        let (before, began) = (own_ns(), Instant::now());
        let spinning = start(0.4);
        std::thread::sleep(Duration::from_millis(600));
        spinning.stop();
        let (used, most) = (own_ns() - before, began.elapsed().mul_f64(0.4) + Duration::from_millis(60));
        // Others may have had the processor: how little it is tells nothing, but some it is.
        assert!(used > 0 && Duration::from_nanos(used) <= most, "{used} ns in {:?}", began.elapsed());
    }

    #[test]
    fn emg_1_without_a_share_nothing_runs() {
        assert!(start(0.0).threads.is_empty());
        let two = start(1.5);
        assert_eq!(two.threads.len(), 2);
        two.stop();
    }
}
