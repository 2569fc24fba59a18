//! What was measured beside the blocks of small calls: the cases, and sessions that only hold a stream open.

use crate::load::Measured;
use crate::load::idle::Idled;
use crate::report::cells::{cell, middle, target};
use crate::report::chart::figure;
use crate::report::results::{Results, Series, busy, cpu_us, throughput, title};
use crate::run::cases::cases;
use std::fmt::Write;

/// CPU of the hub for a list of 500 tools and of 10,000, all pages, in ms.
const LIST_500_MS_MAX: f64 = 0.2;
const LIST_10000_MS_MAX: f64 = 5.0;
/// CPU of the hub for an answer of 64 KB, as a multiple of nginx's.
const BLOB_RATIO_MAX: f64 = 1.0;
/// Calls a second over stdio, as a multiple of the server's own.
const STDIO_RATIO_MIN: f64 = 0.9;
/// Memory for an idle session with an open stream.
const IDLE_KIB_MAX: f64 = 40.0;

impl Results {
    fn case_series(&self, case: &str, contender: &str, of: fn(&Measured) -> Option<f64>) -> Option<Series> {
        let rows = self.cases.iter().filter(|row| row.case == case && row.contender == contender);
        Series::of(rows.filter_map(|row| of(&row.measured)))
    }

    fn case_ratio(&self, case: &str, to: &str, of: fn(&Measured) -> Option<f64>) -> Option<Series> {
        let rows = |name: &'static str| self.cases.iter().filter(move |row| row.case == case && row.contender == name);
        Series::of(rows("omni").filter_map(|row| {
            let other = self.cases.iter().find(|o| o.case == case && o.contender == to && o.round == row.round)?;
            let (mine, theirs) = (of(&row.measured)?, of(&other.measured)?);
            (theirs > 0.0).then_some(mine / theirs)
        }))
    }

    fn idle_kib(&self, contender: &str, sessions: u32) -> Option<Series> {
        let rows = self.idles.iter().filter(|(name, idled)| name == contender && idled.sessions == sessions);
        Series::of(rows.map(|(_, idled)| each_kib(idled)))
    }
}

fn each_kib(idled: &Idled) -> f64 {
    idled.rss_open_kib.saturating_sub(idled.rss_before_kib) as f64 / f64::from(idled.sessions.max(1))
}

/// Their rows of the table of targets.
pub(super) fn targets(text: &mut String, results: &Results) {
    if !results.cases.is_empty() {
        for (case, what, max) in [
            ("list-500", "CPU for a list of 10 × 50 tools, ms", LIST_500_MS_MAX),
            ("list-10000", "CPU for a list of 100 × 100 tools, ms", LIST_10000_MS_MAX),
        ] {
            let reached = results.case_series(case, "omni", |m| cpu_us(m).map(|us| us / 1000.0));
            target(text, what, &format!("≤ {max}"), reached, |value| value <= max);
        }
        let blob = results.case_ratio("blob", "nginx", cpu_us);
        target(text, "CPU for an answer of 64 KB ÷ nginx", &format!("≤ {BLOB_RATIO_MAX}"), blob, |v| {
            v <= BLOB_RATIO_MAX
        });
        for (case, whose) in [("stdio-sdk", "the Python SDK's"), ("stdio", "a server's that costs nothing")] {
            let stdio = results.case_ratio(case, "direct", throughput);
            let what = format!("calls a second over stdio ÷ {whose} own");
            target(text, &what, &format!("≥ {STDIO_RATIO_MIN}"), stdio, |value| value >= STDIO_RATIO_MIN);
        }
    }
    for sessions in [1_000, 9_000] {
        let reached = results.idle_kib("omni", sessions);
        if reached.is_some() {
            let what = format!("memory for an idle session with an open stream, of {}, KiB", figure(sessions.into()));
            target(text, &what, &format!("≤ {IDLE_KIB_MAX}"), reached, |value| value <= IDLE_KIB_MAX);
        }
    }
}

/// Their sections.
pub(super) fn sections(text: &mut String, results: &Results) {
    if !results.cases.is_empty() {
        text.push_str(
            "## Other traffic\n\nEach with an upstream and gateways of its own. CPU over stdio is the server's and the hub's together.\n\n\
             | | | calls/s (range) | p50 µs | p99 µs | gateway CPU, µs a call (range) | gateway busy, CPUs | errors |\n\
             |---|---|--:|--:|--:|--:|--:|--:|\n",
        );
    }
    for case in cases() {
        let mut names: Vec<&str> =
            results.cases.iter().filter(|row| row.case == case.name).map(|row| row.contender.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let of = |figure| results.case_series(case.name, name, figure);
            let rows = results.cases.iter().filter(|row| row.case == case.name && row.contender == name);
            let errors: u64 = rows.map(|row| row.measured.errors).sum();
            let shown = if name == "direct" { "straight" } else { title(name) };
            let _ = writeln!(
                text,
                "| {} | {shown} | {} | {} | {} | {} | {} | {errors} |",
                case.title,
                cell(of(throughput)),
                middle(of(|measured| Some(measured.p50_us))),
                middle(of(|measured| Some(measured.p99_us))),
                cell(of(cpu_us)),
                middle(of(busy)),
            );
        }
    }
    if !results.idles.is_empty() {
        text.push_str(
            "\n## Idle sessions\n\nSessions of 2025-11-25 that only hold their stream open; nothing was called before memory was read, so the hub has no \
             session at the server yet, where the plain proxies hold a connection to it for each. Every twentieth was then called.\n\n\
             | | sessions | KiB each | RSS before, MiB | open | 2 s after the end | opened in s | calls answered | errors |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
    }
    for (name, idled) in &results.idles {
        let mib = |kib: u64| figure(kib as f64 / 1024.0);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            title(name),
            figure(idled.sessions.into()),
            figure(each_kib(idled)),
            mib(idled.rss_before_kib),
            mib(idled.rss_open_kib),
            mib(idled.rss_after_kib),
            figure(idled.opened_in_s),
            idled.calls,
            idled.errors,
        );
    }
    text.push('\n');
}
