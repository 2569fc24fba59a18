//! Measuring the cases, and sessions that only wait. Each has an upstream and gateways of its own, started for it and ended
//! after it.

use crate::load::Era;
use crate::load::idle::Idled;
use crate::run::args::Part;
use crate::run::cases::{Case, cases};
use crate::run::gateway::{Gateway, Shape, Site};
use crate::run::launch::{Launch, Running, start_here};
use crate::run::rows::Row;
use crate::run::{Orchestra, Stand, line, say, start};
use anyhow::Context;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::time::timeout;

/// Opening and closing thousands of sessions may take so long.
const IDLE_PATIENCE: Duration = Duration::from_secs(180);

impl Orchestra<'_> {
    /// Measures the cases whose part is wanted, all contenders in turn.
    pub(super) async fn cases(&mut self, gateways: &[Gateway]) -> anyhow::Result<()> {
        for case in cases().iter().filter(|case| self.args.wants(case.part)) {
            if let Err(error) = self.case(case, gateways).await {
                self.leave_out(case.name, Some(case.era), format!("{error:#}"))?;
            }
        }
        Ok(())
    }

    async fn case(&mut self, case: &Case, gateways: &[Gateway]) -> anyhow::Result<()> {
        let payload = case.payload.to_string();
        let args: Vec<&str> = case.upstream.iter().copied().chain(["--payload", &payload]).collect();
        let (upstream, process) = self.upstream_with(&args, case.upstream_era()).await?;
        let (mut stands, mut running) = (Vec::new(), Vec::new());
        for name in case.contenders {
            if *name == "direct" {
                stands.push((Stand::straight(String::new(), case.tool, case.era), None));
                continue;
            }
            let Some(gateway) = gateways.iter().find(|gateway| gateway.name == *name) else { continue };
            let dir = self.dir.join(format!("{}-{}", case.name, gateway.name));
            let site = Site { listen: start::free_address()?, upstream, era: case.era, dir, shape: case.shape };
            let path = if *name == "omni" { case.path() } else { "/mcp" };
            let url = format!("http://{}{path}", site.listen);
            running.push(self.start_for(case, gateway, &site, &url).await?);
            let pid = running.last().map(Running::pid);
            stands.push((Stand::straight(url, case.tool, case.era).named(gateway.name), pid));
        }
        for round in 0..self.args.rounds_wanted() {
            for at in 0..stands.len() {
                let (stand, pid) = &stands[(at + round) % stands.len()];
                let row = match self.load_case(case, stand, *pid).await {
                    Ok(measured) => {
                        say(&line(round, &format!("{} {}", case.name, stand.name), &measured));
                        Row::Case { case: case.name.to_owned(), round, contender: stand.name.to_owned(), measured }
                    }
                    Err(error) => {
                        say(&format!("round {round} {} {}: {error:#}", case.name, stand.name));
                        Row::Failed {
                            block: 0,
                            contender: stand.name.to_owned(),
                            why: format!("{}: {error:#}", case.name),
                        }
                    }
                };
                self.results.add(&row)?;
            }
        }
        running.into_iter().for_each(Running::stop);
        process.stop();
        Ok(())
    }

    /// Starts a gateway and waits until it answers as the case asks: the whole list, where it is one.
    async fn start_for(&self, case: &Case, gateway: &Gateway, site: &Site, url: &str) -> anyhow::Result<Running> {
        std::fs::create_dir_all(&site.dir)?;
        let mut running = self.launcher.start(&(gateway.launch)(site)?, &site.dir.join("log"), false)?;
        let patience = Duration::from_secs(30);
        let ready = start::first_answer(url, case.era, (case.tool, case.payload), Instant::now(), patience).await;
        running.check()?;
        ready.with_context(|| format!("{}: its log ends: {}", gateway.name, running.log_tail()))?;
        Ok(running)
    }

    async fn load_case(&self, case: &Case, stand: &Stand, pid: Option<u32>) -> anyhow::Result<crate::load::Measured> {
        let mut more = vec!["--over".to_owned(), case.over.name().to_owned()];
        if stand.name == "direct" {
            let command = case.shape.stdio.context("nothing to call straight")?.command()?;
            more.extend(["--stdio".to_owned()].into_iter().chain(command).chain([";".to_owned()]));
        }
        let stand = Stand { pid, ..stand.clone() };
        self.load_with(&stand, (case.era, case.sessions), case.payload, &more).await
    }

    /// Sessions that only hold a stream open, through each gateway.
    pub(super) async fn idle(&mut self, gateways: &[Gateway]) -> anyhow::Result<()> {
        if !self.args.wants(Part::Idle) {
            return Ok(());
        }
        for sessions in self.args.idle_sessions() {
            for gateway in gateways.iter().filter(|gateway| ["rawproxy", "nginx", "omni"].contains(&gateway.name)) {
                let (upstream, process) = self.upstream_with(&[], Era::Legacy).await?;
                let dir = self.dir.join(format!("idle-{}-{sessions}", gateway.name));
                let shape = Shape { servers: 1, stdio: None };
                let site = Site { listen: start::free_address()?, upstream, era: Era::Legacy, dir, shape };
                let running = start::start_for_good(&self.launcher, gateway, &site).await?;
                let url = gateway.routes.first().map(|route| start::url(site.listen, route)).unwrap_or_default();
                let row = match idle_load(&url, sessions, running.pid()).await {
                    Ok(idled) => {
                        let each = idled.rss_open_kib.saturating_sub(idled.rss_before_kib) as f64 / f64::from(sessions);
                        say(&format!("{sessions} idle sessions, {}: {each:.1} KiB each", gateway.name));
                        Row::Idle { contender: gateway.name.to_owned(), idled }
                    }
                    Err(error) => {
                        say(&format!("{sessions} idle sessions, {}: {error:#}", gateway.name));
                        let why = format!("{sessions} idle sessions: {error:#}");
                        Row::Failed { block: 0, contender: gateway.name.to_owned(), why }
                    }
                };
                self.results.add(&row)?;
                running.stop();
                process.stop();
            }
        }
        Ok(())
    }

    /// An upstream as a case needs it, on the load's CPU.
    pub(super) async fn upstream_with(
        &self,
        more: &[&str],
        era: Era,
    ) -> anyhow::Result<(std::net::SocketAddr, Running)> {
        let listen = start::free_address()?;
        let address = listen.to_string();
        let mut args = vec!["upstream", "--listen", &address];
        args.extend(more);
        let running = start_here(&Launch::new(&std::env::current_exe()?, &args), &self.dir.join("upstream.log"))?;
        let url = format!("http://{listen}/mcp");
        start::first_call(&url, era, "echo", Instant::now(), Duration::from_secs(10)).await?;
        Ok((listen, running))
    }
}

async fn idle_load(url: &str, sessions: u32, pid: u32) -> anyhow::Result<Idled> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["idle", "--url", url, "--sessions", &sessions.to_string(), "--watch", &format!("gateway={pid}")]);
    let output = timeout(IDLE_PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    let output = output.context("it did not end in time")?.context("cannot start the load")?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no figures: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
