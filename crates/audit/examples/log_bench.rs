//! What the lasting log costs: `cargo run --release -p omni-audit --example log_bench -- DIRECTORY [RECORDS] [CALLERS]`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a bench, run by hand")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use omni_audit::query::{Query, instant};
use omni_audit::{
    Archive, Durability, Event, EventKind, FieldName, LastingLog, LogSettings, Order, Outcome, Search, Sink as _,
    VerifyOptions, Who, verify,
};
use omni_types::{Principal, ServerName};

/// Principals that calls are spread over.
const PRINCIPALS: u64 = 10_000;
const STRICT_CALLS: usize = 20_000;
const SYNCS: usize = 2_000;

fn event(at: u64) -> Event {
    Event::new(EventKind::Call, "tools/call", Outcome::Success)
        .on(ServerName::parse("git").ok().as_ref(), "git_log")
        .fact(FieldName::ArgumentsSha256, [at as u8; 32])
        .fact(FieldName::TraceId, format!("{at:032x}"))
        .fact(FieldName::DurationUs, 1_500_u64)
}

fn who(at: u64) -> Who {
    Who::from(&Principal::local(&format!("person-{}", at % PRINCIPALS)))
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let of = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    format!("p50 {:?}, p99 {:?}, p99.9 {:?}, longest {:?}", of(0.5), of(0.99), of(0.999), of(1.0))
}

fn resident_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

fn syncs(directory: &Path) {
    let mut file = File::create(directory.join("sync")).unwrap();
    let times = (0..SYNCS).map(|_| {
        let begun = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed()
    });
    println!("write of 4 KiB and fdatasync: {}", percentiles(times.collect()));
}

fn strict(directory: &Path, callers: usize) {
    let settings = LogSettings { durability: Durability::Strict, ..LogSettings::new(directory) };
    let (log, _) = LastingLog::open(&settings).unwrap();
    let begun = Instant::now();
    let times: Vec<Duration> = std::thread::scope(|scope| {
        let one = |caller: usize| {
            let log = &log;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let call = |at: usize| {
                    let at = (caller * STRICT_CALLS + at) as u64;
                    let begun = Instant::now();
                    runtime.block_on(log.record_durably(who(at), event(at))).unwrap();
                    begun.elapsed()
                };
                (0..STRICT_CALLS / callers).map(call).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..callers).map(one).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    println!("strict, {callers} callers: {rate:.0} records/s, {}", percentiles(times));
    log.close();
}

fn fill(directory: &Path, records: u64) {
    let settings = LogSettings::new(directory);
    let (log, _) = LastingLog::open(&settings).unwrap();
    let begun = Instant::now();
    let mut on_the_road = Duration::ZERO;
    let mut early = 0;
    for block in 0..records / 1_000 {
        while log.health().waiting > settings.queue_records_max / 2 {
            std::thread::yield_now();
        }
        let made: Vec<_> = (block * 1_000..(block + 1) * 1_000).map(|at| (who(at), event(at))).collect();
        let begun = Instant::now();
        made.into_iter().for_each(|(who, event)| log.record(who, event));
        on_the_road += begun.elapsed();
        if block == records / 10_000 {
            early = resident_kb();
        }
    }
    let late = resident_kb();
    log.close();
    let (took, shed) = (begun.elapsed(), log.health().shed);
    let bytes: u64 =
        Archive::open(directory).unwrap().segments().unwrap().iter().map(|s| s.path.metadata().unwrap().len()).sum();
    println!(
        "fast: {records} records in {took:?}, {shed} shed, {:?} a record to hand over",
        on_the_road / records as u32
    );
    println!("  {} bytes a record; resident after a tenth {early} KiB, at the end {late} KiB", bytes / records);
}

fn ask(directory: &Path) {
    let begun = Instant::now();
    let outcome = verify(directory, &VerifyOptions::default()).unwrap();
    assert!(outcome.is_whole());
    let rate = outcome.records as f64 / begun.elapsed().as_secs_f64();
    println!("verify: {} records, {rate:.0} records/s", outcome.records);
    let search = || Search::new(Archive::open(directory).unwrap()).unwrap();
    let begun = Instant::now();
    let made = search().index_closed().unwrap();
    println!("index: {made} segments in {:?}", begun.elapsed());
    let last = search().event(outcome.size - 1).unwrap().time_us;
    let mut query = Query::parse(["who=person-77"]).unwrap();
    (query.from_us, query.until_us) = (Some(last - 3_600_000_000), Some(last + 1));
    for round in ["first", "second", "third"] {
        let search = search();
        let (begun, mut found) = (Instant::now(), 0);
        search
            .find(&query, Order::Newest, &mut |_| {
                found += 1;
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        println!(
            "{round} question, a principal and the hour up to {}: {found} found in {:?}",
            instant(last),
            begun.elapsed()
        );
    }
    println!("resident at the end: {} KiB", resident_kb());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().expect("a directory for the logs"));
    let number = |text: Option<String>, or: u64| text.and_then(|text| text.parse().ok()).unwrap_or(or);
    let (records, callers) = (number(arguments.next(), 1_000_000), number(arguments.next(), 16));
    fs::create_dir_all(&directory).unwrap();
    syncs(&directory);
    strict(&directory.join("strict"), callers as usize);
    fill(&directory.join("fast"), records);
    ask(&directory.join("fast"));
}
