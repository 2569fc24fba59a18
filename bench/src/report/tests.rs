//! The report of made-up results: verdicts, ratios and warnings follow from the rows.
#![allow(clippy::unwrap_used)]

use crate::load::{Era, Measured, Watched};
use crate::report::results::{Results, cpu_us, throughput};
use crate::report::tables::document;
use crate::run::rows::{Row, Run, Start};

fn run() -> Row {
    let text = |text: &str| text.to_owned();
    Row::Run(Run {
        date: text("2026-01-01"),
        commit: text("abc"),
        cpu: text("a CPU"),
        cpus: 2,
        memory_gib: 4,
        kernel: text("6"),
        rustc: text("rustc"),
        load_average: text("0 0 0"),
        versions: vec![(text("omni"), text("omni 0.1"))],
        rounds: 3,
        seconds: 3.0,
        warmup: 50,
        start_rounds: 1,
        tool: text("echo"),
        answer_bytes: 64,
        sse: false,
        upstream_era: text("both"),
        gateway_cpus: text("0"),
        load_cpus: text("1"),
        realtime: false,
        quick: false,
    })
}

fn call(block: usize, contender: &str, cpu_us_per_call: f64, calls_per_s: f64) -> Row {
    let gateway =
        Watched { name: "gateway".to_owned(), cpu_us_per_call, cpus: 1.0, rss_kib: 2048, pss_kib: 1024, threads: 2 };
    let measured = Measured {
        era: Era::Legacy,
        sessions: 16,
        tool: "echo".to_owned(),
        calls: 1000,
        errors: 0,
        first_error: None,
        elapsed_s: 3.0,
        calls_per_s,
        p50_us: 1.0,
        p90_us: 2.0,
        p99_us: 3.0,
        max_us: 4.0,
        load_cpu_us_per_call: 6.0,
        foreign_cpus: 0.0,
        watched: vec![gateway],
    };
    Row::Call { block, round: block, contender: contender.to_owned(), measured }
}

fn start(warm: bool, first_call_ms: f64) -> Row {
    Row::Start(Start {
        contender: "omni".to_owned(),
        round: 0,
        warm,
        first_call_ms,
        rss_kib: 30 << 10,
        pss_kib: 9,
        threads: 3,
    })
}

/// The machine is half as fast in the second block: ratios must not see it.
fn rows() -> Vec<Row> {
    let mut rows = vec![run()];
    for (block, slow) in [(0, 1.0), (1, 2.0), (2, 1.0)] {
        rows.push(call(block, "rawproxy", 20.0 * slow, 40_000.0 / slow));
        rows.push(call(block, "nginx", 25.0 * slow, 36_000.0 / slow));
        rows.push(call(block, "omni", 30.0 * slow, 24_000.0 / slow));
    }
    rows.extend([start(false, 40.0), start(true, 60.0)]);
    rows
}

#[test]
fn ratios_are_taken_inside_blocks() {
    let results = Results::of(rows()).unwrap();
    let ratio = results.ratio("omni", "rawproxy", (Era::Legacy, 16), cpu_us).unwrap();
    assert!((ratio.low - 1.5).abs() < 1e-9 && (ratio.high - 1.5).abs() < 1e-9 && ratio.count == 3);
    let ratio = results.ratio("omni", "nginx", (Era::Legacy, 16), throughput).unwrap();
    assert!((ratio.median - 2.0 / 3.0).abs() < 1e-9);
    assert!(results.ratio("omni", "mcp-proxy", (Era::Legacy, 16), cpu_us).is_none());
}

#[test]
fn verdicts_follow_the_targets() {
    let text = document(&Results::of(rows()).unwrap());
    let verdict =
        |what: &str| text.lines().find(|line| line.contains(what) && line.starts_with("| ")).unwrap().to_owned();
    assert!(verdict("÷ bare hyper proxy, 2025-11-25, 16").ends_with("| **missed** |"), "{text}");
    assert!(verdict("idle memory").ends_with("| 30.0 | **missed** |"));
    assert!(verdict("empty data directory |").ends_with("| met |"));
    assert!(verdict("data of an earlier start |").ends_with("| **missed** |"));
}

#[test]
fn errors_and_foreign_work_are_said_aloud() {
    let mut rows = rows();
    for row in &mut rows {
        if let Row::Call { measured, .. } = row {
            measured.foreign_cpus = 0.7;
            measured.errors = 3;
            measured.first_error = Some("another call's text".to_owned());
        }
    }
    let text = document(&Results::of(rows).unwrap());
    assert!(
        text.contains("**27 errors**")
            && text.contains("another call's text")
            && text.contains("Other work was running")
    );
}

#[test]
fn results_survive_their_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<String> = rows().iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    std::fs::write(file.path(), lines.join("\n")).unwrap();
    assert_eq!(Results::read(file.path()).unwrap().calls.len(), 9);
    std::fs::write(file.path(), format!("{}\nnot a row", lines[0])).unwrap();
    let error = Results::read(file.path()).map(|_| ()).unwrap_err();
    assert!(format!("{error:#}").contains("line 2"));
}
