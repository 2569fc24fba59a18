//! The orchestrator: one upstream, all contenders in front of it, measured in turn in short windows.
//!
//! A block is one round of one workload (era and number of sessions): every contender is measured once, one right
//! after the other, in an order that turns from block to block. Ratios are taken inside a block, so what slows the
//! machine for minutes slows both sides of a ratio.

mod args;
mod beside;
pub(crate) mod cases;
mod contenders;
pub(crate) mod counted;
mod gateway;
mod launch;
mod machine;
pub(crate) mod rows;
mod start;

pub(crate) use crate::run::args::RunArgs;

use crate::load::{Era, Measured};
use crate::report;
use crate::run::args::{Part, Placement};
use crate::run::contenders::available;
use crate::run::gateway::{Gateway, Route, Shape, Site};
use crate::run::launch::{Launch, Launcher, Running, settle, start_here};
use crate::run::rows::{Row, Run};
use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// Measures, then writes the report.
pub(crate) fn run(args: &RunArgs) -> anyhow::Result<()> {
    let (gateway_cpus, load_cpus) = match args.placement {
        Placement::TwoCores => (Some("0"), Some("1")),
        Placement::OneCore => (Some("1"), Some("1")),
        Placement::Free => (None, None),
    };
    for program in [&args.omni, &args.nginx, &args.mcp_proxy].into_iter().flatten() {
        ensure!(program.exists(), "{} is not there: build or install it, or leave the option out", program.display());
    }
    let launcher = Launcher::new(gateway_cpus, args.realtime)?;
    // Whatever this thread starts from here on, load and upstream, runs where it runs.
    settle(load_cpus, args.realtime)?;
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let file = args.out.join(format!("run-{started}.jsonl"));
    let results = Results { file: File::create(&file).with_context(|| format!("cannot write {}", file.display()))? };
    let dir = tempfile::Builder::new().prefix("omni-bench-").tempdir()?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut orchestra = Orchestra { args, launcher, results, dir: dir.path().to_owned() };
        tokio::select! {
            measured = orchestra.measure(gateway_cpus, load_cpus) => measured,
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
        }
    })?;
    say(&format!("results in {}", file.display()));
    report::write_from(&file, &args.docs)
}

/// The results' file; a row is on disk as soon as it is known.
struct Results {
    file: File,
}

impl Results {
    fn add(&mut self, row: &Row) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        self.file.write_all(&line).context("cannot write the results")
    }
}

/// Progress, for who waits.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Something that can be called while the blocks run.
#[derive(Clone)]
struct Stand {
    name: &'static str,
    url: String,
    tool: String,
    /// The gateway's process; `direct` has none.
    pid: Option<u32>,
    eras: Vec<Era>,
}

impl Stand {
    /// Without a gateway, or one that is named later.
    fn straight(url: String, tool: &str, era: Era) -> Self {
        Self { name: "direct", url, tool: tool.to_owned(), pid: None, eras: vec![era] }
    }

    fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }
}

struct Orchestra<'a> {
    args: &'a RunArgs,
    launcher: Launcher,
    results: Results,
    dir: PathBuf,
}

impl Orchestra<'_> {
    async fn measure(&mut self, gateway_cpus: Option<&str>, load_cpus: Option<&str>) -> anyhow::Result<()> {
        let begun = Instant::now();
        let (gateways, absent) = available(self.args);
        self.results.add(&Row::Run(self.surroundings(&gateways, gateway_cpus, load_cpus)))?;
        for (name, why) in absent {
            self.leave_out(name, None, why)?;
        }
        let (upstream, upstream_process) = self.upstream().await?;
        if self.args.wants(Part::Starts) {
            self.starts(&gateways, upstream).await?;
        }
        if self.args.wants(Part::Calls) {
            self.calls(&gateways, upstream, upstream_process.pid()).await?;
        }
        upstream_process.stop();
        self.cases(&gateways).await?;
        self.idle(&gateways).await?;
        let minutes = begun.elapsed().as_secs_f64() / 60.0;
        self.results.add(&Row::End { load_average: machine::load_average(), minutes })
    }

    /// The blocks: all gateways run side by side and are called in turn.
    async fn calls(&mut self, gateways: &[Gateway], upstream: SocketAddr, upstream_pid: u32) -> anyhow::Result<()> {
        let mut running = Vec::new();
        let straight = Route { name: "direct", path: "/mcp", prefix: "" };
        let mut stands = vec![self.stand(&straight, upstream, None).await?];
        for gateway in gateways {
            let site = Site {
                listen: start::free_address()?,
                upstream,
                era: self.args.sure_era(),
                dir: self.dir.join(gateway.name),
                shape: Shape::default(),
            };
            match start::start_for_good(&self.launcher, gateway, &site).await {
                Ok(process) => {
                    for route in &gateway.routes {
                        stands.push(self.stand(route, site.listen, Some(process.pid())).await?);
                    }
                    running.push(process);
                }
                Err(error) => self.leave_out(gateway.name, None, format!("{error:#}"))?,
            }
        }
        self.blocks(&stands, upstream_pid).await?;
        running.into_iter().for_each(Running::stop);
        Ok(())
    }

    fn surroundings(&self, gateways: &[Gateway], gateway_cpus: Option<&str>, load_cpus: Option<&str>) -> Run {
        let args = self.args;
        Run {
            date: machine::date(),
            commit: machine::commit(),
            cpu: machine::cpu(),
            cpus: machine::cpus(),
            memory_gib: machine::memory_gib(),
            kernel: machine::kernel(),
            rustc: machine::rustc(),
            load_average: machine::load_average(),
            versions: gateways.iter().map(|gateway| (gateway.name.to_owned(), gateway.version.clone())).collect(),
            rounds: self.args.rounds_wanted(),
            seconds: self.args.seconds_wanted(),
            warmup: args.warmup,
            start_rounds: self.args.start_rounds(),
            tool: args.tool.clone(),
            answer_bytes: if args.tool == "blob" { args.payload } else { 64 },
            sse: args.sse,
            upstream_era: format!("{:?}", args.upstream_era).to_lowercase(),
            gateway_cpus: gateway_cpus.unwrap_or_default().to_owned(),
            load_cpus: load_cpus.unwrap_or_default().to_owned(),
            realtime: args.realtime,
            quick: args.quick,
        }
    }

    fn leave_out(&mut self, contender: &str, era: Option<Era>, why: String) -> anyhow::Result<()> {
        say(&format!(
            "{contender}: left out{}: {why}",
            era.map_or(String::new(), |era| format!(" in {}", era.revision()))
        ));
        self.results.add(&Row::Absent { contender: contender.to_owned(), era, why })
    }

    /// Started by this thread and not by the launcher: it belongs to the load's CPU.
    async fn upstream(&self) -> anyhow::Result<(SocketAddr, Running)> {
        let listen = start::free_address()?;
        let (address, payload) = (listen.to_string(), self.args.payload.to_string());
        let era = format!("{:?}", self.args.upstream_era).to_lowercase();
        let mut args = vec!["upstream", "--listen", &address, "--payload", &payload, "--era", &era];
        args.extend(self.args.sse.then_some("--sse"));
        let running = start_here(&Launch::new(&std::env::current_exe()?, &args), &self.dir.join("upstream.log"))?;
        let patience = Duration::from_secs(5);
        start::first_call(&format!("http://{listen}/mcp"), self.args.sure_era(), "echo", Instant::now(), patience)
            .await?;
        Ok((listen, running))
    }

    /// All starts, gateway by gateway in turn.
    async fn starts(&mut self, gateways: &[Gateway], upstream: SocketAddr) -> anyhow::Result<()> {
        let mut broken: Vec<&str> = Vec::new();
        for round in 0..self.args.start_rounds() {
            for at in 0..gateways.len() {
                let gateway = &gateways[(at + round) % gateways.len()];
                if broken.contains(&gateway.name) {
                    continue;
                }
                let dir = self.dir.join(format!("start-{}-{round}", gateway.name));
                match start::measure(&self.launcher, gateway, (upstream, self.args.sure_era()), &dir, round).await {
                    Ok(starts) => {
                        for start in starts {
                            let warm = if start.warm { " (warm)" } else { "" };
                            say(&format!(
                                "{}{warm}: first call after {:.1} ms, {} KiB",
                                start.contender, start.first_call_ms, start.rss_kib
                            ));
                            self.results.add(&Row::Start(start))?;
                        }
                    }
                    Err(error) => {
                        broken.push(gateway.name);
                        let why = format!("{error:#}");
                        say(&format!("{}: does not start: {why}", gateway.name));
                    }
                }
            }
        }
        Ok(())
    }

    /// A route with the eras it answers in, found by trying each.
    async fn stand(&mut self, route: &Route, listen: SocketAddr, pid: Option<u32>) -> anyhow::Result<Stand> {
        let url = start::url(listen, route);
        let echo = format!("{}echo", route.prefix);
        let mut eras = Vec::new();
        for era in &self.args.eras {
            match start::first_call(&url, *era, &echo, Instant::now(), Duration::from_secs(2)).await {
                Ok(_) => eras.push(*era),
                Err(error) => self.leave_out(route.name, Some(*era), error.root_cause().to_string())?,
            }
        }
        Ok(Stand { name: route.name, url, tool: format!("{}{}", route.prefix, self.args.tool), pid, eras })
    }

    async fn blocks(&mut self, stands: &[Stand], upstream: u32) -> anyhow::Result<()> {
        let mut block = 0;
        for round in 0..self.args.rounds_wanted() {
            for era in &self.args.eras {
                for sessions in &self.args.sessions {
                    let mut order: Vec<&Stand> = stands.iter().filter(|stand| stand.eras.contains(era)).collect();
                    let turn = block % order.len().max(1);
                    order.rotate_left(turn);
                    if round % 2 == 1 {
                        order.reverse();
                    }
                    for stand in order {
                        let contender = stand.name.to_owned();
                        let row = match self.load(stand, *era, *sessions, upstream).await {
                            Ok(measured) => {
                                say(&line(round, &contender, &measured));
                                Row::Call { block, round, contender, measured }
                            }
                            Err(error) => {
                                say(&format!("round {round} {contender} {sessions}: {error:#}"));
                                Row::Failed { block, contender, why: format!("{error:#}") }
                            }
                        };
                        self.results.add(&row)?;
                    }
                    block += 1;
                }
            }
        }
        Ok(())
    }

    async fn load(&self, stand: &Stand, era: Era, sessions: u32, upstream: u32) -> anyhow::Result<Measured> {
        let watch = ["--watch".to_owned(), format!("upstream={upstream}")];
        self.load_with(stand, (era, sessions), self.args.payload, &watch).await
    }

    async fn load_with(
        &self,
        stand: &Stand,
        (era, sessions): (Era, u32),
        payload: usize,
        more: &[String],
    ) -> anyhow::Result<Measured> {
        let mut command = Command::new(std::env::current_exe()?);
        let era = era.to_possible_value().context("an era without a name")?;
        command.args(["load", "--url", &stand.url, "--tool", &stand.tool, "--era", era.get_name()]);
        command.args(["--sessions", &sessions.to_string(), "--seconds", &self.args.seconds_wanted().to_string()]);
        command.args(["--warmup", &self.args.warmup.to_string(), "--payload", &payload.to_string()]).args(more);
        if let Some(pid) = stand.pid {
            command.args(["--watch", &format!("gateway={pid}")]);
        }
        let limit = Duration::from_secs_f64(self.args.seconds_wanted() + 120.0);
        let output = timeout(limit, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
        let output = output.context("the load did not end in time")?.context("cannot start the load")?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("no figures: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

fn line(round: usize, contender: &str, measured: &Measured) -> String {
    let gateway = measured.watched.iter().find(|watched| watched.name == "gateway");
    let cpu = gateway.map_or(String::new(), |gateway| format!(", {:.1} µs CPU a call", gateway.cpu_us_per_call));
    let errors =
        measured.first_error.as_ref().map_or(String::new(), |error| format!(", {} ERRORS: {error}", measured.errors));
    format!(
        "round {round} {} × {:<2} {contender:<10} {:>6.0} calls/s, p50 {:.0} µs, p99 {:.0} µs{cpu}{errors}",
        measured.era.revision(),
        measured.sessions,
        measured.calls_per_s,
        measured.p50_us,
        measured.p99_us,
    )
}
