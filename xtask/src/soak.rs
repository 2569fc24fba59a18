//! `cargo xtask soak`: the real program under mixed traffic and random faults, at whose end everything it took is given back.

mod census;
mod chance;
mod faults;
mod http;
mod hub;
mod judge;
mod port_server;
mod programs;
mod road;
mod servers;
mod sse;
mod sum;
mod traffic;
mod websocket;
mod words;

use crate::step;
use anyhow::{Context as _, Result, bail, ensure};
use census::Census;
use hub::Hub;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use sum::Sum;

/// Minutes of traffic: on a developer's machine, and in CI.
const MINUTES: f64 = 2.0;
const MINUTES_CI: f64 = 1.0;
/// Traffic before the first look: pools fill, caches warm, processes start.
const WARM_UP: Duration = Duration::from_secs(10);
/// For sessions to fall idle, processes to be reaped and connections to close, after the traffic.
const REST_MAX: Duration = Duration::from_secs(90);
/// Beyond the time after which what is idle is closed.
const STILL: Duration = Duration::from_secs(2);
/// Clients of each kind.
const CLIENTS: usize = 2;
/// Looks at the hub while the traffic runs.
const LOOKS: u32 = 60;
/// Of which so many are shown.
const SHOWN: usize = 6;
/// Sessions and their streams that `--control` keeps: as if the hub did not give them back.
const KEPT: usize = 40;

/// What is asked for.
struct Wanted {
    minutes: f64,
    release: bool,
    /// Keeps connections when all should be over, and fails unless that is found.
    control: bool,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let wanted = parse(arguments)?;
    let hub = Arc::new(servers::start(build(wanted.release)?)?);
    let sum = Arc::new(Sum::default());
    under_traffic(&hub, &sum, WARM_UP, false)?;
    let before = settled(&hub)?;
    let (calls, failed) = sum.both();
    let minutes = wanted.minutes;
    println!("warmed up: {calls} calls answered, {failed} refused; {minutes} minutes of traffic and faults follow");
    ensure!(calls > 0, "no call was answered before anything went wrong");
    let looks = under_traffic(&hub, &sum, Duration::from_secs_f64(minutes * 60.0), true)?;
    let kept = if wanted.control { traffic::listeners(&hub, KEPT)? } else { Vec::new() };
    let after = rest(&hub, &before)?;
    tell(&before, looks, &after)?;
    let (all, all_failed) = sum.both();
    println!("{} calls answered, {} refused\n{}", all - calls, all_failed - failed, sum.counts());
    ensure!(all > calls, "no call was answered while things went wrong");
    let mut wrong = judge::left_over(&before, &after);
    wrong.extend(sum.wrong());
    if wanted.control {
        let found = |name: &str| wrong.iter().any(|what| what.starts_with(name));
        ensure!(found("descriptors") && found("sessions"), "{} streams were kept, unnoticed", kept.len());
        println!("the planted leak was found: {}", wrong.join("; "));
        wrong.clear();
    }
    drop(kept);
    wrong.extend(Arc::into_inner(hub).context("someone still holds the hub")?.stop()?);
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Wanted> {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let mut wanted = Wanted { minutes: if ci { MINUTES_CI } else { MINUTES }, release: false, control: false };
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        match flag.as_str() {
            "--minutes" => {
                let value = rest.next().context("--minutes wants a number")?;
                wanted.minutes = value.parse().context("--minutes wants a number")?;
            }
            "--release" => wanted.release = true,
            "--control" => wanted.control = true,
            _ => bail!("usage: cargo xtask soak [--minutes N] [--release] [--control]"),
        }
    }
    Ok(wanted)
}

/// Builds what is needed; the profile of the hub.
fn build(release: bool) -> Result<&'static str> {
    step::run(&["cargo", "build", "--quiet", "--package", "omni", "--package", "omni-fixtures"], &[])?;
    if release {
        step::run(&["cargo", "build", "--quiet", "--release", "--package", "omni"], &[])?;
    }
    Ok(if release { "release" } else { "debug" })
}

/// Clients of every kind for `time`; with `faults`, servers are killed, stopped and started anew all the while. What the
/// hub held meanwhile.
fn under_traffic(hub: &Arc<Hub>, sum: &Arc<Sum>, time: Duration, faults: bool) -> Result<Vec<(String, Census)>> {
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
    let (began, mut looks) = (Instant::now(), Vec::new());
    while began.elapsed() < time && hub.is_alive() {
        std::thread::sleep(Duration::from_millis(200));
        if began.elapsed() > time * (looks.len() as u32 + 1) / (LOOKS + 1) {
            looks.push((format!("{:.1} min", began.elapsed().as_secs_f64() / 60.0), Census::take(hub)?));
        }
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        ensure!(thread.join().is_ok(), "a client of the soak broke");
    }
    ensure!(hub.is_alive(), "the hub is gone; its log ends with\n{}", hub.log_end());
    Ok(looks)
}

/// What the hub holds once nothing goes away any more by itself: less is a better measure than more.
fn settled(hub: &Hub) -> Result<Census> {
    let until = Instant::now() + REST_MAX;
    let (mut last, mut since) = (Census::take(hub)?, Instant::now());
    while since.elapsed() < servers::IDLE + STILL && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(500));
        let now = Census::take(hub)?;
        if !now.holds_as_last(&last) {
            since = Instant::now();
        }
        last = now;
    }
    ensure!(last.sessions == 0 && last.calls == 0, "sessions or calls stay though nobody is there: {last:?}");
    Ok(last)
}

/// Waits until nothing is left that was not there `before`, or too long.
fn rest(hub: &Hub, before: &Census) -> Result<Census> {
    let until = Instant::now() + REST_MAX;
    loop {
        let now = Census::take(hub)?;
        if judge::left_over(before, &now).is_empty() || Instant::now() > until {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A table of some looks, and a file of all.
fn tell(before: &Census, looks: Vec<(String, Census)>, after: &Census) -> Result<()> {
    let mut file = format!("when;{}\n", Census::head());
    let mut all = vec![("before".to_owned(), before.clone())];
    let every = (looks.len() / SHOWN).max(1);
    for (at, (name, census)) in looks.into_iter().enumerate() {
        writeln!(file, "{name};{}", census.line())?;
        if (at + 1) % every == 0 {
            all.push((name, census));
        }
    }
    all.push(("after".to_owned(), after.clone()));
    std::fs::write(format!("{}/looks.csv", servers::FOLDER), file)?;
    println!("{}", Census::table(&all));
    Ok(())
}
