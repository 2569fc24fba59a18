//! `cargo xtask soak`: the real program under mixed traffic and random faults, at whose end everything it took is given back.

mod census;
mod faults;
mod hub;
mod traffic;

use crate::step;
use anyhow::{Context as _, Result, bail, ensure};
use census::Census;
use hub::Hub;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Minutes of traffic: on a developer's machine, and in CI.
const MINUTES: f64 = 2.0;
const MINUTES_CI: f64 = 1.0;
/// Traffic before the first look: pools fill, caches warm, processes start.
const WARM_UP: Duration = Duration::from_secs(10);
/// For sessions to fall idle, processes to be reaped and connections to close, after the traffic.
const REST_MAX: Duration = Duration::from_secs(90);
/// Descriptors and processes that may come and go (a connection that is looked through, a server that starts anew).
const SLACK: u64 = 8;
/// Memory that the hub may keep beyond what it began with.
const MEMORY_SLACK_KB: u64 = 24 * 1024;
/// Clients of each kind.
const CLIENTS: usize = 3;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let minutes = match arguments {
        [] if ci => MINUTES_CI,
        [] => MINUTES,
        [flag, value] if flag == "--minutes" => value.parse().context("--minutes wants a number")?,
        _ => bail!("usage: cargo xtask soak [--minutes N]"),
    };
    step::run(&["cargo", "build", "--quiet", "--package", "omni", "--package", "omni-fixtures"], &[])?;
    let hub = Arc::new(Hub::start()?);
    let sum = Arc::new(traffic::Sum::default());
    under_traffic(&hub, &sum, WARM_UP, false)?;
    let before = rest(&hub, None)?;
    let (calls, failed) = sum.both();
    println!("warmed up: {calls} calls answered, {failed} refused; {minutes} minutes of traffic and faults follow");
    ensure!(calls > 0, "no call was answered before anything went wrong");
    under_traffic(&hub, &sum, Duration::from_secs_f64(minutes * 60.0), true)?;
    let busy = Census::take(&hub)?;
    let after = rest(&hub, Some(&before))?;
    let (all, all_failed) = sum.both();
    println!("{}", Census::table(&before, &busy, &after));
    println!("{} calls answered, {} refused, {} faults", all - calls, all_failed - failed, sum.faults());
    let mut wrong = left_over(&before, &after);
    wrong.extend(sum.wrong());
    ensure!(all > calls, "no call was answered while things went wrong");
    wrong.extend(Arc::into_inner(hub).context("someone still holds the hub")?.stop()?);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Clients of every kind for `time`; with `faults`, servers are killed, stopped and started anew all the while.
fn under_traffic(hub: &Arc<Hub>, sum: &Arc<traffic::Sum>, time: Duration, faults: bool) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    for client in 0..CLIENTS {
        for kind in traffic::KINDS {
            let (hub, sum, stop) = (Arc::clone(hub), Arc::clone(sum), Arc::clone(&stop));
            let seed = (client * 64 + threads.len()) as u64;
            threads.push(std::thread::spawn(move || traffic::keep_on(&hub, *kind, seed, &sum, &stop)));
        }
    }
    if faults {
        let (hub, sum, stop) = (Arc::clone(hub), Arc::clone(sum), Arc::clone(&stop));
        threads.push(std::thread::spawn(move || faults::keep_on(&hub, &sum, &stop)));
    }
    let until = Instant::now() + time;
    while Instant::now() < until && hub.is_alive() {
        std::thread::sleep(Duration::from_millis(200));
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        ensure!(thread.join().is_ok(), "a client of the soak broke");
    }
    ensure!(hub.is_alive(), "the hub is gone; its log ends with\n{}", hub.log_end());
    Ok(())
}

/// Waits until nothing moves any more, or nothing is left that was not there `before`.
fn rest(hub: &Hub, before: Option<&Census>) -> Result<Census> {
    let until = Instant::now() + REST_MAX;
    loop {
        let now = Census::take(hub)?;
        let quiet = now.sessions == 0 && now.calls == 0;
        if (quiet && before.is_none_or(|before| left_over(before, &now).is_empty())) || Instant::now() > until {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn left_over(before: &Census, after: &Census) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut more = |what: &str, had: u64, has: u64, slack: u64| {
        if has > had + slack {
            wrong.push(format!("{what}: {had} before, {has} after"));
        }
    };
    more("sessions", 0, after.sessions, 0);
    more("calls in flight", 0, after.calls, 0);
    more("links to servers", before.links, after.links, SLACK);
    more("descriptors", before.descriptors, after.descriptors, SLACK);
    more("threads", before.threads, after.threads, SLACK);
    more("processes", before.processes, after.processes, SLACK);
    more("resident memory in KiB", before.memory_kb, after.memory_kb, MEMORY_SLACK_KB);
    wrong
}
