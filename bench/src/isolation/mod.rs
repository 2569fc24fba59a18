//! Whether one bad server moves the others' latency (EMG-1): the same pressure on a good server and on a bad one, in turns, and
//! on a good one while as much of the processors is used.

mod faulty;
mod pressure;
mod spin;

use crate::isolation::faulty::{Faulty, Kind};
use crate::isolation::spin::Spinning;
use crate::process;
use crate::started::{Running, hub, median, upstream};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum as _};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The others' p99 may be so many times what it is beside a good server that uses as much of the processors.
const RATIO_MAX: f64 = 1.2;

/// `omni-bench isolation`
#[derive(Args)]
pub(crate) struct IsolationArgs {
    /// The hub
    #[arg(long, value_name = "PROGRAM")]
    omni: PathBuf,
    /// The faulty servers that are processes; without it only those behind HTTP are tried
    #[arg(long, value_name = "PROGRAM")]
    fixture: Option<PathBuf>,
    /// Rounds: a turn beside a good server, one beside a good one of equal CPU use, one beside the bad one
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// Seconds a turn
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Sessions whose latency is measured
    #[arg(long, default_value_t = 4)]
    sessions: u32,
    /// Only these kinds
    #[arg(long, value_enum)]
    only: Vec<Kind>,
}

/// Prints a line for each kind; an error when one moves the others by more than it may.
pub(crate) fn run(args: &IsolationArgs) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    let upstreams = [upstream()?, upstream()?];
    let (mut out, began) = (std::io::stdout(), Instant::now());
    writeln!(
        out,
        "p99 of calls to a good server, in turns of {} s, while others call: a good server; the same while a process uses as much \
         CPU as the bad one does (equal); the bad one",
        args.seconds
    )?;
    writeln!(
        out,
        "{:<14} {:>6} {:>8} {:>8} {:>8} {:>7} {:>13}  moved it (median of {} p99 each, µs; ratio bad : equal, its range)",
        "beside", "CPU", "good", "equal", "bad", "ratio", "range", args.rounds
    )?;
    let mut moved = Vec::new();
    for kind in Kind::value_variants().iter().filter(|kind| args.only.is_empty() || args.only.contains(kind)) {
        let Some(faulty) = Faulty::start(*kind, args.fixture.as_deref())? else { continue };
        let turns = measure(args, folder.path(), &upstreams, &faulty)?;
        let (good, equal, bad) = (median(turns.good.clone()), median(turns.equal.clone()), median(turns.bad.clone()));
        let (ratio, verdict) = (bad / equal, if bad / equal > RATIO_MAX { "yes" } else { "no" });
        let (least, most) = turns.range();
        let range = format!("{least:.2} to {most:.2}");
        let (name, share) = (kind.name(), turns.share);
        writeln!(
            out,
            "{name:<14} {share:>6.2} {good:>8.0} {equal:>8.0} {bad:>8.0} {ratio:>7.2} {range:>13}  {verdict}"
        )?;
        if ratio > RATIO_MAX {
            moved.push(name);
        }
    }
    writeln!(
        out,
        "{:.0} s; at most {RATIO_MAX} is wanted: {}",
        began.elapsed().as_secs_f64(),
        if moved.is_empty() { "met" } else { "missed" }
    )?;
    if !moved.is_empty() {
        bail!(
            "p99 beside {} is more than {RATIO_MAX} × what it is beside a good server of equal CPU use",
            moved.join(", ")
        );
    }
    Ok(())
}

/// The p99 of each turn, a round at the same place.
#[derive(Default)]
struct Turns {
    /// Beside a good server.
    good: Vec<f64>,
    /// The same, while as much CPU is used as the bad one uses.
    equal: Vec<f64>,
    /// Beside the bad one.
    bad: Vec<f64>,
    /// Processors that the bad one uses more than the good one.
    share: f64,
}

impl Turns {
    /// The least and the most of the ratios bad : equal of one round each.
    fn range(&self) -> (f64, f64) {
        let ratios = self.bad.iter().zip(&self.equal).map(|(bad, equal)| bad / equal);
        ratios.fold((f64::INFINITY, 0.0), |(least, most), ratio| (least.min(ratio), most.max(ratio)))
    }
}

/// Whom the pressure is on in a turn.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Good,
    Equal,
    Bad,
}

/// The others' p99 beside a good server, beside one while CPU is used, and beside the bad one, in turns.
fn measure(
    args: &IsolationArgs,
    folder: &Path,
    upstreams: &[(Running, SocketAddr); 2],
    faulty: &Faulty,
) -> anyhow::Result<Turns> {
    let url = |address: SocketAddr| json!({ "url": format!("http://{address}/mcp") });
    let mut entry = faulty.entry();
    entry["timeout_s"] = json!(1);
    let servers = json!({ "measured": url(upstreams[0].1), "good": url(upstreams[1].1), "bad": entry });
    let (hub, address) = hub(
        &args.omni,
        folder,
        &json!({ "servers": servers, "auth": { "mode": "none" }, "log": { "level": "error" } }),
    )?;
    // What a server uses is used by a process of the hub's, or by a thread of this program.
    let used = || process::descendants_ns(hub.pid()) + process::own_ns();
    let (mut turns, mut by_good, mut by_bad) = (Turns::default(), Share::default(), Share::default());
    // The first round warms up and is not counted: it tells how much the bad one uses.
    for round in 0..=args.rounds {
        // Who goes first changes, so that what drifts weighs on all alike.
        let mut order = [Beside::Bad, Beside::Good, Beside::Equal];
        order.rotate_left(round % 3);
        for beside in order {
            if round == 0 && beside == Beside::Equal {
                continue;
            }
            let server = if beside == Beside::Bad { "bad" } else { "good" };
            turns.share = (by_bad.processors() - by_good.processors()).max(0.0);
            let spinning = (beside == Beside::Equal).then(|| spin::start(turns.share));
            let pressing = pressure::start(address, server, faulty.tool(server));
            let (before, began) = (used(), Instant::now());
            let p99 = load(address, args)?;
            let (spent, took) = (used().saturating_sub(before), began.elapsed());
            pressing.stop();
            spinning.into_iter().for_each(Spinning::stop);
            match beside {
                Beside::Good => by_good.add(spent, took),
                Beside::Equal => {}
                Beside::Bad => by_bad.add(spent, took),
            }
            match beside {
                _ if round == 0 => {}
                Beside::Good => turns.good.push(p99),
                Beside::Equal => turns.equal.push(p99),
                Beside::Bad => turns.bad.push(p99),
            }
        }
    }
    turns.share = (by_bad.processors() - by_good.processors()).max(0.0);
    Ok(turns)
}

/// How much of the processors was used, over all turns of a kind.
#[derive(Default)]
struct Share {
    spent_ns: u64,
    took: Duration,
}

impl Share {
    fn add(&mut self, spent_ns: u64, took: Duration) {
        self.spent_ns += spent_ns;
        self.took += took;
    }

    fn processors(&self) -> f64 {
        Duration::from_nanos(self.spent_ns).as_secs_f64() / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// The load runs as a process of its own, so that the pressure takes nothing of its thread.
fn load(hub: SocketAddr, args: &IsolationArgs) -> anyhow::Result<f64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["load", "--url", &format!("http://{hub}/mcp"), "--tool", "measured__echo"]);
    command.args(["--sessions", &args.sessions.to_string(), "--seconds", &args.seconds.to_string()]);
    let output = command.stderr(Stdio::inherit()).output().context("the load cannot be started")?;
    let measured: Value = serde_json::from_slice(&output.stdout).context("the load did not end well")?;
    if measured["errors"] != 0 {
        bail!("calls of the good server failed: {}", measured["first_error"]);
    }
    measured["p99_us"].as_f64().context("the load tells no p99")
}
