//! Instructions in user space for a call, counted with callgrind: noise of the machine does not reach this figure.
//!
//! A table, not a gate: the figures of this build beside those that were landed last (`bench/counts.json`).

use crate::load::{LIST, LoadArgs, run as load};
use crate::run::counted::{Counted, Subject, subjects};
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::process::Command;

/// For a program under valgrind to listen.
const START: Duration = Duration::from_secs(120);
/// Calls a session before counting, so that connections are open and catalogs read.
const WARM_CALLS: u64 = 100;
const SESSIONS: u32 = 4;

/// `omni-bench counts`
#[derive(Args)]
pub(crate) struct CountsArgs {
    /// The hub's program
    #[arg(long, value_name = "PATH")]
    pub(crate) omni: PathBuf,
    /// Calls a session
    #[arg(long, default_value_t = 1000)]
    calls: u64,
    /// Only these rows
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// The figures that were landed last
    #[arg(long, value_name = "FILE", default_value = "bench/counts.json")]
    landed: PathBuf,
    /// Write the figures of this run there
    #[arg(long)]
    accept: bool,
}

/// Counts, prints the table, and writes it down if asked to.
pub(crate) async fn run(args: &CountsArgs) -> anyhow::Result<()> {
    ensure!(args.omni.exists(), "{} is not there: build it", args.omni.display());
    let landed: BTreeMap<String, u64> = match fs::read(&args.landed) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| args.landed.display().to_string())?,
        Err(_) => BTreeMap::new(),
    };
    let mut now = landed.clone();
    let mut out = std::io::stdout();
    writeln!(out, "| instructions a call, user space | now | landed last | |\n|---|--:|--:|--:|")?;
    for subject in subjects().into_iter().filter(|s| args.only.is_empty() || args.only.iter().any(|o| o == s.name)) {
        let count = count(&subject, args).await.with_context(|| subject.name.to_owned())?;
        now.insert(subject.name.to_owned(), count);
        let (before, change) = match landed.get(subject.name) {
            Some(before) => (before.to_string(), format!("{:+.1} %", (count as f64 / *before as f64 - 1.0) * 100.0)),
            None => ("–".to_owned(), String::new()),
        };
        writeln!(out, "| {} | {count} | {before} | {change} |", subject.title)?;
    }
    if args.accept {
        let mut text = serde_json::to_string_pretty(&now)?;
        text.push('\n');
        fs::write(&args.landed, text).with_context(|| format!("cannot write {}", args.landed.display()))?;
    }
    Ok(())
}

async fn count(subject: &Subject, args: &CountsArgs) -> anyhow::Result<u64> {
    let dir = tempfile::Builder::new().prefix("omni-counts-").tempdir()?;
    let Counted { upstream, gateway, listen, path } = subject.launches(&args.omni, dir.path())?;
    let mut behind = Command::new(&upstream.program).args(&upstream.args).kill_on_drop(true).spawn()?;
    let out = dir.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "-q"]).arg(format!("--callgrind-out-file={}", out.display()));
    command.arg(&gateway.program).args(&gateway.args).env("TOKIO_WORKER_THREADS", "1").kill_on_drop(true);
    let log = fs::File::create(dir.path().join("log"))?;
    let mut process = command.stdout(log.try_clone()?).stderr(log).spawn().context("valgrind is not installed")?;
    let pid = process.id().context("it ended at once")?;
    let since = Instant::now();
    while TcpStream::connect(listen).await.is_err() {
        ensure!(since.elapsed() < START && process.try_wait()?.is_none(), "it does not listen: {}", log_of(dir.path()));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (tool, era) = (subject.tool, subject.era);
    let tool =
        if path == "/mcp" && tool != LIST && subject.prefixed { format!("bench__{tool}") } else { tool.to_owned() };
    let calls = if tool == LIST { args.calls / 20 } else { args.calls }.max(1);
    let load_args = LoadArgs {
        url: format!("http://{listen}{path}"),
        sessions: SESSIONS,
        calls: Some(WARM_CALLS.min(calls)),
        // Only how long it may take: valgrind is slow.
        seconds: 600.0,
        era,
        tool,
        warmup: 0,
        payload: subject.payload,
        stdio: Vec::new(),
        over: Default::default(),
        watch: Vec::new(),
    };
    load(&load_args).await?;
    control(pid, "--zero").await?;
    let measured = load(&LoadArgs { calls: Some(calls), ..load_args }).await?;
    ensure!(measured.errors == 0, "{} errors: {:?}", measured.errors, measured.first_error);
    control(pid, "--dump").await?;
    let total = total(&out)?;
    process.kill().await?;
    behind.kill().await?;
    Ok(total / measured.calls)
}

fn log_of(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).unwrap_or_default().chars().take(500).collect()
}

async fn control(pid: u32, what: &str) -> anyhow::Result<()> {
    let done = Command::new("callgrind_control").args([what, &pid.to_string()]).output().await?;
    ensure!(done.status.success(), "callgrind_control {what}: {}", String::from_utf8_lossy(&done.stdout));
    Ok(())
}

/// The sum of the dump that was asked for: valgrind numbers them.
fn total(out: &Path) -> anyhow::Result<u64> {
    let text = fs::read_to_string(out.with_extension("out.1")).context("callgrind wrote no figures")?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    match line.and_then(|line| line.trim().parse().ok()) {
        Some(total) => Ok(total),
        None => bail!("callgrind's figures have no sum"),
    }
}
