//! The load generator: a closed loop, one call in flight a session, every answer checked.

mod check;
mod frames;
mod histogram;
pub(crate) mod idle;
pub(crate) mod over;
pub(crate) mod pipe;
mod session;
mod wire;

pub(crate) use crate::load::session::{Era, LIST, Over, Plan, Session};

use crate::load::histogram::Histogram;
use crate::process::{CpuTime, Memory, machine_busy_ns};
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A session gives up after so many failed calls: what is broken is not hammered.
const FAILURES_MAX: u64 = 20;
/// How long a session may take to open, and how long a run may overstay its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// `omni-bench load`
#[derive(Args, Clone)]
pub(crate) struct LoadArgs {
    /// Endpoint to call, on a loopback address
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// Concurrent sessions, each with a connection of its own
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) sessions: u32,
    /// Calls a session
    #[arg(long, conflicts_with = "seconds")]
    pub(crate) calls: Option<u64>,
    /// Length of the run
    #[arg(long, value_parser = seconds, default_value = "3")]
    pub(crate) seconds: f64,
    /// Protocol era to speak
    #[arg(long, value_enum, default_value = "legacy")]
    pub(crate) era: Era,
    /// Tool to call: one whose name ends with `echo` or `blob`; or `list`: the list of tools, all its pages
    #[arg(long, default_value = "echo")]
    pub(crate) tool: String,
    /// Calls a session before measuring starts
    #[arg(long, default_value_t = 50)]
    pub(crate) warmup: u64,
    /// Length of the text that `blob` answers with; tools that `list` must show
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    pub(crate) payload: usize,
    /// Call this program over its standard streams instead of an endpoint; sessions are calls in flight
    #[arg(long, value_name = "PROGRAM ARG... ;", num_args = 1.., value_terminator = ";", allow_hyphen_values = true)]
    pub(crate) stdio: Vec<String>,
    /// What carries the calls
    #[arg(long, value_enum, default_value = "http1")]
    pub(crate) over: Over,
    /// Report CPU and memory of this process and its descendants over the measured time
    #[arg(long, value_name = "NAME=PID", value_parser = watched)]
    pub(crate) watch: Vec<(String, u32)>,
}

/// The length of a measurement, from the command line.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|s| (0.05..=600.0).contains(s)).ok_or_else(|| "between 0.05 and 600 seconds".to_owned())
}

pub(crate) fn watched(text: &str) -> Result<(String, u32), String> {
    let (name, pid) = text.split_once('=').ok_or("NAME=PID is wanted")?;
    Ok((name.to_owned(), pid.parse().map_err(|_| format!("{pid} is no process id"))?))
}

/// What a run found.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) era: Era,
    pub(crate) sessions: u32,
    pub(crate) tool: String,
    /// Good answers.
    pub(crate) calls: u64,
    /// Calls and sessions that failed, wrong answers among them.
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    pub(crate) elapsed_s: f64,
    pub(crate) calls_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// What the generator itself spent.
    pub(crate) load_cpu_us_per_call: f64,
    /// CPUs that neither the generator nor a watched process kept busy: other work on the machine.
    pub(crate) foreign_cpus: f64,
    pub(crate) watched: Vec<Watched>,
}

/// A watched process tree over the measured time.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) cpu_us_per_call: f64,
    /// CPUs it kept busy.
    pub(crate) cpus: f64,
    /// Memory at the end of the run.
    pub(crate) rss_kib: u64,
    pub(crate) pss_kib: u64,
    pub(crate) threads: u64,
}

/// What one session has counted.
struct Tally {
    latencies: Histogram,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    fn new() -> Self {
        Self { latencies: Histogram::new(), errors: 0, first_error: None }
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }

    fn add(&mut self, other: Self) {
        self.latencies.add(&other.latencies);
        self.errors += other.errors;
        if let Some(error) = other.first_error {
            self.first_error.get_or_insert(error);
        }
    }
}

/// When a session stops.
#[derive(Clone, Copy)]
enum Until {
    Calls(u64),
    Deadline(Instant),
}

/// Opens the sessions, warms up, measures.
pub(crate) async fn run(args: &LoadArgs) -> anyhow::Result<Measured> {
    let plan = Plan::new(&args.url, args.era, &args.tool, args.payload).await?;
    ensure!(
        args.tool.ends_with("echo") || args.tool.ends_with("blob") || args.tool == LIST,
        "--tool {}: not one this load can check",
        args.tool
    );
    let mut total = Tally::new();
    let sessions = open(&plan, args.sessions, &mut total).await;
    let mut sessions = drive(sessions, Until::Calls(args.warmup), PATIENCE, &mut total).await;
    if sessions.is_empty() {
        bail!("no session is left after opening and warming up: {}", total.first_error.unwrap_or_default());
    }
    total.latencies = Histogram::new();

    let meter = Meter::start(&args.watch);
    let length = Duration::from_secs_f64(args.seconds);
    let until = args.calls.map_or_else(|| Until::Deadline(Instant::now() + length), Until::Calls);
    sessions = drive(sessions, until, length + PATIENCE, &mut total).await;
    let measured = meter.stop(args, &total);
    close_all(sessions).await;
    Ok(measured)
}

/// CPU time of everything concerned, from the start of a measurement.
struct Meter {
    watch: Vec<(String, u32, CpuTime)>,
    own: CpuTime,
    busy_ns: u64,
    start: Instant,
}

impl Meter {
    fn start(watch: &[(String, u32)]) -> Self {
        let watch = watch.iter().map(|(name, pid)| (name.clone(), *pid, CpuTime::of_tree(*pid))).collect();
        Self { watch, own: CpuTime::of_tree(std::process::id()), busy_ns: machine_busy_ns(), start: Instant::now() }
    }

    fn stop(self, args: &LoadArgs, total: &Tally) -> Measured {
        let elapsed_s = self.start.elapsed().as_secs_f64();
        let calls = total.latencies.count();
        let busy_ns = machine_busy_ns().saturating_sub(self.busy_ns);
        let own_ns = CpuTime::of_tree(std::process::id()).since_ns(&self.own);
        let us_per_call = |ns: u64| ns as f64 / 1e3 / calls.max(1) as f64;
        let mut known_ns = own_ns;
        let watched = self.watch.into_iter().map(|(name, pid, before)| {
            let ns = CpuTime::of_tree(pid).since_ns(&before);
            known_ns += ns;
            let Memory { rss_kib, pss_kib, threads } = Memory::of_tree(pid);
            let cpus = ns as f64 / 1e9 / elapsed_s;
            Watched { name, cpu_us_per_call: us_per_call(ns), cpus, rss_kib, pss_kib, threads }
        });
        let watched = watched.collect();
        let quantile = |share| total.latencies.quantile_us(share);
        Measured {
            era: args.era,
            sessions: args.sessions,
            tool: args.tool.clone(),
            calls,
            errors: total.errors,
            first_error: total.first_error.clone(),
            elapsed_s,
            calls_per_s: calls as f64 / elapsed_s,
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            max_us: total.latencies.max_us(),
            load_cpu_us_per_call: us_per_call(own_ns),
            foreign_cpus: (busy_ns.saturating_sub(known_ns) as f64 / 1e9 / elapsed_s * 1e3).round() / 1e3,
            watched,
        }
    }
}

async fn open(plan: &Plan, count: u32, total: &mut Tally) -> Vec<Session> {
    let mut opening = JoinSet::new();
    for number in 0..count as usize {
        let plan = plan.clone();
        opening.spawn(async move {
            timeout(PATIENCE, Session::open(&plan, number)).await.context("opening took too long")?
        });
    }
    let mut sessions = Vec::new();
    for opened in opening.join_all().await {
        match opened.with_context(|| "a session was not opened") {
            Ok(session) => sessions.push(session),
            Err(error) => total.fail(&error),
        }
    }
    sessions
}

/// Calls on all sessions at once until each is done; those still usable come back.
async fn drive(sessions: Vec<Session>, until: Until, limit: Duration, total: &mut Tally) -> Vec<Session> {
    let mut driving = JoinSet::new();
    for mut session in sessions {
        driving.spawn(async move {
            let mut tally = Tally::new();
            let finished = timeout(limit, call_until(&mut session, until, &mut tally)).await;
            if finished.is_err() {
                tally.fail(&anyhow::anyhow!("a call was not answered within {} s", limit.as_secs()));
            }
            (matches!(finished, Ok(true)).then_some(session), tally)
        });
    }
    let mut left = Vec::new();
    for (session, tally) in driving.join_all().await {
        total.add(tally);
        left.extend(session);
    }
    left
}

/// `false` if the session was given up.
async fn call_until(session: &mut Session, until: Until, tally: &mut Tally) -> bool {
    let mut calls = 0;
    while match until {
        Until::Calls(most) => calls < most,
        Until::Deadline(end) => Instant::now() < end,
    } {
        calls += 1;
        match session.call().await {
            Ok(took) => tally.latencies.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
            Err(error) => {
                tally.fail(&error);
                if tally.errors >= FAILURES_MAX || session.reconnect().await.is_err() {
                    return false;
                }
            }
        }
    }
    true
}

async fn close_all(sessions: Vec<Session>) {
    let mut closing = JoinSet::new();
    for session in sessions {
        closing.spawn(timeout(PATIENCE, session.close()));
    }
    closing.join_all().await;
}
