//! Lives through the worlds of many seeds: `omni-simulation [--from SEED] [--seeds N] [--seconds N] [--failures N] [--twice] [--without-streams]`.

#![allow(clippy::print_stdout, reason = "a command's answer belongs on standard output")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use omni_simulation::{Lived, live};

const USAGE: &str =
    "usage: omni-simulation [--from SEED] [--seeds N] [--seconds N] [--failures N] [--twice] [--without-streams]";
/// Names one seed to live through, with everything that happens told.
const SEED_VARIABLE: &str = "OMNI_SIMULATION_SEED";
/// Failing seeds after which no more are tried, where nothing else is said.
const FAILED_MAX: u64 = 5;

struct Wanted {
    from: u64,
    seeds: u64,
    seconds: u64,
    failures: u64,
    twice: bool,
    streams: bool,
}

/// What all worlds so far came to.
#[derive(Default)]
struct Sum {
    next: AtomicU64,
    lived: AtomicU64,
    events: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    differed: AtomicU64,
    broken: AtomicBool,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let mut wanted = parse()?;
    if let Ok(seed) = std::env::var(SEED_VARIABLE) {
        wanted = Wanted { from: seed.parse().context(SEED_VARIABLE)?, seeds: 1, ..wanted };
    }
    let (sum, began) = (Sum::default(), Instant::now());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| worker(&wanted, &sum, began));
        }
    });
    let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "{} worlds in {:.1} s: {} events, {} calls answered, {} not; {} failed",
        get(&sum.lived),
        began.elapsed().as_secs_f64(),
        get(&sum.events),
        get(&sum.answered),
        get(&sum.refused),
        get(&sum.failed)
    );
    if wanted.twice {
        println!("{} of them went otherwise the second time", get(&sum.differed));
    }
    Ok(get(&sum.failed) == 0 && get(&sum.differed) == 0 && !sum.broken.load(Ordering::Relaxed) && get(&sum.lived) > 0)
}

fn parse() -> Result<Wanted> {
    let mut wanted =
        Wanted { from: 0, seeds: 1_000, seconds: u64::MAX, failures: FAILED_MAX, twice: false, streams: true };
    let mut rest = std::env::args().skip(1);
    while let Some(flag) = rest.next() {
        let mut number = || rest.next().context(USAGE)?.parse().context(USAGE);
        match flag.as_str() {
            "--from" => wanted.from = number()?,
            "--seeds" => wanted.seeds = number()?,
            "--seconds" => wanted.seconds = number()?,
            "--failures" => wanted.failures = number()?,
            "--without-streams" => wanted.streams = false,
            "--twice" => wanted.twice = true,
            _ => bail!(USAGE),
        }
    }
    Ok(wanted)
}

fn worker(wanted: &Wanted, sum: &Sum, began: Instant) {
    let limit = Duration::from_secs(wanted.seconds.min(u64::from(u32::MAX)));
    while began.elapsed() < limit && sum.failed.load(Ordering::Relaxed) < wanted.failures {
        let at = sum.next.fetch_add(1, Ordering::Relaxed);
        if at >= wanted.seeds {
            return;
        }
        let seed = wanted.from + at;
        match world(seed, wanted.streams) {
            Ok(lived) => {
                if wanted.twice && world(seed, wanted.streams).is_ok_and(|second| second.digest != lived.digest) {
                    println!("seed {seed} went otherwise the second time");
                    sum.differed.fetch_add(1, Ordering::Relaxed);
                }
                tell(seed, &lived, sum);
            }
            Err(error) => {
                eprintln!("seed {seed}: {error:#}");
                sum.broken.store(true, Ordering::Relaxed);
                return;
            }
        }
    }
}

fn tell(seed: u64, lived: &Lived, sum: &Sum) {
    for (count, more) in
        [(&sum.lived, 1), (&sum.events, lived.events), (&sum.answered, lived.answered), (&sum.refused, lived.refused)]
    {
        count.fetch_add(more, Ordering::Relaxed);
    }
    if lived.wrong.is_empty() {
        return;
    }
    sum.failed.fetch_add(1, Ordering::Relaxed);
    println!("seed {seed} failed; again, with all that happens: {SEED_VARIABLE}={seed} cargo xtask simulate");
    for wrong in &lived.wrong {
        println!("    {wrong}");
    }
}

#[cfg(feature = "clock")]
fn world(seed: u64, streams: bool) -> Result<Lived> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(live(seed, streams, None))
}

#[cfg(not(feature = "clock"))]
fn world(_seed: u64, _streams: bool) -> Result<Lived> {
    let _without_its_clock = live;
    bail!("built without its clock: run it with `cargo xtask simulate`")
}
