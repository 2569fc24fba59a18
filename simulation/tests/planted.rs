//! EMG-1, TRB-4, POOL-1: every fault that is planted between the hub and those around it is found, and told in its own words.
//! Wants tokio's clock: `cargo xtask simulate --planted`.
#![cfg(feature = "clock")]
#![allow(clippy::unwrap_used)]

use omni_simulation::{Lived, Planted, live};

/// Worlds in which a fault has to show itself; most do in the first three. What shows only where nothing else goes wrong, and
/// where nobody waits in line, needs the most.
const WORLDS: u64 = 400;

fn world(seed: u64, planted: Planted) -> Lived {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(live(seed, true, Some(planted))).unwrap()
}

#[test]
fn emg_1_every_planted_fault_is_found() {
    let unnoticed: Vec<Planted> = std::thread::scope(|scope| {
        let looking = Planted::ALL.iter().map(|(planted, words)| {
            let found =
                move || (0..WORLDS).any(|seed| world(seed, *planted).wrong.iter().any(|what| what.contains(words)));
            (*planted, scope.spawn(found))
        });
        let looking: Vec<_> = looking.collect();
        looking.into_iter().filter_map(|(planted, found)| (!found.join().unwrap()).then_some(planted)).collect()
    });
    assert!(unnoticed.is_empty(), "nobody noticed {unnoticed:?}");
}
