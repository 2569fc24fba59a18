//! What befalls the servers during a soak: killed, paused, started anew.

use crate::soak::hub::{Hub, descendants, signal};
use crate::soak::traffic::{Chance, Sum};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two faults, at most.
const PAUSE_MS: u64 = 3_000;
/// A server is away or paused for at most this long.
const AWAY_MS: u64 = 2_000;

pub(super) fn keep_on(hub: &Arc<Hub>, sum: &Sum, stop: &AtomicBool) {
    let mut chance = Chance::new(0xfa17);
    while !stop.load(Ordering::Relaxed) {
        nap(chance.ms(PAUSE_MS), stop);
        let away = chance.ms(AWAY_MS);
        let victim = victim(hub, &mut chance);
        match (chance.below(5), victim) {
            (0, _) | (_, None) => {
                if let Err(error) = hub.restart_port_server(away) {
                    sum.broke(format!("the server on a port cannot be started again: {error:#}"));
                }
            }
            // A guard is killed like a server: what it guarded must not stay behind.
            (1 | 2, Some(pid)) => signal("KILL", pid),
            (_, Some(pid)) => {
                signal("STOP", pid);
                nap(away, stop);
                signal("CONT", pid);
            }
        }
        sum.fault();
    }
}

fn victim(hub: &Hub, chance: &mut Chance) -> Option<u32> {
    let all = descendants(hub.pid());
    all.get(chance.below(all.len().max(1) as u64) as usize).copied()
}

/// Sleeps, but not past the end.
fn nap(time: Duration, stop: &AtomicBool) {
    let until = Instant::now() + time;
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}
