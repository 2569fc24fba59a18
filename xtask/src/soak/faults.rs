//! What befalls the servers during a soak: killed, paused, started anew, taken out of the configuration and put back.

use crate::soak::chance::Chance;
use crate::soak::hub::{Hub, descendants, signal};
use crate::soak::servers;
use crate::soak::sum::Sum;
use anyhow::Result;
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
        if let Err(error) = befall(hub, sum, stop, &mut chance) {
            sum.broke(format!("a fault cannot be made, or not be made good: {error:#}"));
        }
    }
    // It ends as it began.
    if let Err(error) = servers::reconfigure(hub, true) {
        sum.broke(format!("the configuration cannot be written: {error:#}"));
    }
}

fn befall(hub: &Hub, sum: &Sum, stop: &AtomicBool, chance: &mut Chance) -> Result<()> {
    let away = chance.ms(AWAY_MS);
    match chance.below(8) {
        0 => {
            sum.count("fault: server on a port ended, started anew");
            hub.port_server.restart(away)?;
        }
        1 => {
            sum.count("fault: hub behind killed, started anew");
            let wrong = hub.behind.restart("KILL", away)?;
            wrong.into_iter().for_each(|what| sum.broke(format!("the hub behind: {what}")));
        }
        2 => {
            sum.count("fault: hub behind stopped, started anew");
            let wrong = hub.behind.restart("TERM", away)?;
            wrong.into_iter().for_each(|what| sum.broke(format!("the hub behind: {what}")));
        }
        3 => {
            sum.count("fault: configuration changed");
            let with_extra = chance.one_in(2);
            servers::reconfigure(hub, with_extra)?;
        }
        kind => {
            let Some(pid) = victim(hub, chance) else { return Ok(()) };
            // A guard is killed like a server: what it guarded must not stay behind.
            if kind < 6 {
                sum.count("fault: process killed");
                signal("KILL", pid);
            } else {
                sum.count("fault: process paused");
                signal("STOP", pid);
                nap(away, stop);
                signal("CONT", pid);
            }
        }
    }
    Ok(())
}

/// A process behind the hub, or the hub behind it with its own.
fn victim(hub: &Hub, chance: &mut Chance) -> Option<u32> {
    let mut all = descendants(hub.pid());
    if let Some(behind) = hub.behind.pid() {
        all.extend(descendants(behind));
    }
    all.get(chance.below(all.len().max(1) as u64) as usize).copied()
}

/// Sleeps, but not past the end.
fn nap(time: Duration, stop: &AtomicBool) {
    let until = Instant::now() + time;
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
    }
}
