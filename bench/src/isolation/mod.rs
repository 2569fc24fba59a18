//! Whether one bad server moves the others' latency (EMG-1): the same pressure on a good server and on a bad one, in turns.

mod faulty;
mod pressure;

use crate::isolation::faulty::{Faulty, Kind};
use crate::started::{Running, hub, median, upstream};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum as _};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The others' p99 may be so many times what it is beside a good server.
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
    /// Turns of each kind: one beside a good server, one beside the bad one
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
        "p99 of calls to a good server while others call a good one, or a bad one, in turns of {} s",
        args.seconds
    )?;
    writeln!(
        out,
        "{:<18} {:>14} {:>14} {:>7}  moved it (median of {} p99 each, µs)",
        "beside", "good", "bad", "ratio", args.rounds
    )?;
    let mut moved = Vec::new();
    for kind in Kind::value_variants().iter().filter(|kind| args.only.is_empty() || args.only.contains(kind)) {
        let Some(faulty) = Faulty::start(*kind, args.fixture.as_deref())? else { continue };
        let (good, bad) = measure(args, folder.path(), &upstreams, &faulty)?;
        let ratio = bad / good;
        let verdict = if ratio > RATIO_MAX { "yes" } else { "no" };
        writeln!(out, "{:<18} {good:>14.0} {bad:>14.0} {ratio:>7.2}  {verdict}", kind.name())?;
        if ratio > RATIO_MAX {
            moved.push(kind.name());
        }
    }
    writeln!(
        out,
        "{:.0} s; at most {RATIO_MAX} is wanted: {}",
        began.elapsed().as_secs_f64(),
        if moved.is_empty() { "met" } else { "missed" }
    )?;
    if !moved.is_empty() {
        bail!("p99 beside {} is more than {RATIO_MAX} × what it is beside a good server", moved.join(", "));
    }
    Ok(())
}

/// The others' p99 beside a good server, and beside the bad one.
fn measure(
    args: &IsolationArgs,
    folder: &Path,
    upstreams: &[(Running, SocketAddr); 2],
    faulty: &Faulty,
) -> anyhow::Result<(f64, f64)> {
    let url = |address: SocketAddr| json!({ "url": format!("http://{address}/mcp") });
    let mut entry = faulty.entry();
    entry["timeout_s"] = json!(1);
    let servers = json!({ "measured": url(upstreams[0].1), "good": url(upstreams[1].1), "bad": entry });
    let (_hub, address) = hub(
        &args.omni,
        folder,
        &json!({ "servers": servers, "auth": { "mode": "none" }, "log": { "level": "error" } }),
    )?;
    let (mut beside_good, mut beside_bad) = (Vec::new(), Vec::new());
    // The first turn warms up and is not counted.
    for round in 0..=args.rounds {
        // Who goes first changes, so that what drifts weighs on both alike.
        let mut turns = [("good", &mut beside_good), ("bad", &mut beside_bad)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (server, into) in turns {
            let pressing = pressure::start(address, server, faulty.tool(server));
            let p99 = load(address, args)?;
            pressing.stop();
            if round > 0 {
                into.push(p99);
            }
        }
    }
    Ok((median(beside_good), median(beside_bad)))
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
