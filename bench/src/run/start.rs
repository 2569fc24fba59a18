//! From the start of a process to its first good answer, and what it then holds in memory.

use crate::load::{Era, Plan, Session};
use crate::process::Memory;
use crate::run::gateway::{Gateway, Route, Shape, Site};
use crate::run::launch::{Launcher, Running};
use crate::run::rows::Start;
use anyhow::Context;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A gateway that has not answered by then is not measured.
const PATIENCE: Duration = Duration::from_secs(20);
/// One try takes so long at most: a gateway may hold a call back while it wakes.
const TRY: Duration = Duration::from_secs(10);
/// Between a try and the next.
const POLL: Duration = Duration::from_millis(1);
/// Memory is read so long after the first answer.
const SETTLE: Duration = Duration::from_millis(500);

/// A loopback address that is free now.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?.local_addr()?)
}

/// The address of a route.
pub(crate) fn url(listen: SocketAddr, route: &Route) -> String {
    format!("http://{listen}{}", route.path)
}

/// Tries a call until it is answered well; the time since `since`.
pub(crate) async fn first_call(
    url: &str,
    era: Era,
    tool: &str,
    since: Instant,
    patience: Duration,
) -> anyhow::Result<Duration> {
    // `blob`'s length does not matter here: the first call is always an echo.
    first_answer(url, era, (tool, 0), since, patience).await
}

/// Tries a call, or a list, until it is answered well; the time since `since`.
pub(crate) async fn first_answer(
    url: &str,
    era: Era,
    (tool, payload): (&str, usize),
    since: Instant,
    patience: Duration,
) -> anyhow::Result<Duration> {
    let plan = Plan::new(url, era, tool, payload).await?;
    loop {
        let tried = timeout(TRY, async {
            let mut session = Session::open(&plan, 0).await?;
            session.call().await?;
            let answered = since.elapsed();
            session.close().await;
            anyhow::Ok(answered)
        });
        let error = match tried.await {
            Ok(Ok(answered)) => return Ok(answered),
            Ok(Err(error)) => error,
            Err(_) => anyhow::anyhow!("no answer within {} s", TRY.as_secs()),
        };
        if since.elapsed() > patience {
            return Err(error.context(format!("no good answer from {url} within {} s", patience.as_secs())));
        }
        // The thread itself sleeps, as nothing else runs on it: the runtime's timer is coarser than what is measured.
        std::thread::sleep(POLL);
    }
}

/// Starts a gateway for the measurements of calls and waits until it answers.
pub(crate) async fn start_for_good(launcher: &Launcher, gateway: &Gateway, site: &Site) -> anyhow::Result<Running> {
    fs::create_dir_all(&site.dir)?;
    let mut running = launcher.start(&(gateway.launch)(site)?, &site.dir.join("log"), false)?;
    answers(&mut running, gateway, site).await?;
    Ok(running)
}

/// One start (two for a gateway that keeps data: without and with what the first has left), timed.
pub(crate) async fn measure(
    launcher: &Launcher,
    gateway: &Gateway,
    (upstream, era): (SocketAddr, Era),
    dir: &Path,
    round: usize,
) -> anyhow::Result<Vec<Start>> {
    let mut starts = Vec::new();
    for warm in [false, true].into_iter().take(if gateway.has_data { 2 } else { 1 }) {
        let site = Site { listen: free_address()?, upstream, era, dir: dir.to_owned(), shape: Shape::default() };
        fs::create_dir_all(&site.dir)?;
        let launch = (gateway.launch)(&site)?;
        let mut running = launcher.start(&launch, &site.dir.join("log"), true)?;
        let took = answers(&mut running, gateway, &site).await?;
        tokio::time::sleep(SETTLE).await;
        let Memory { rss_kib, pss_kib, threads } = Memory::of_tree(running.pid());
        running.stop();
        let first_call_ms = took.as_secs_f64() * 1e3;
        starts.push(Start {
            contender: gateway.name.to_owned(),
            round,
            warm,
            first_call_ms,
            rss_kib,
            pss_kib,
            threads,
        });
    }
    Ok(starts)
}

async fn answers(running: &mut Running, gateway: &Gateway, site: &Site) -> anyhow::Result<Duration> {
    let route = gateway.routes.first().context("a gateway without a route")?;
    let tool = format!("{}echo", route.prefix);
    let answered = first_call(&url(site.listen, route), site.era, &tool, running.since, PATIENCE).await;
    running.check()?;
    let log = running.log_tail();
    answered
        .with_context(|| if log.is_empty() { "its log is empty".to_owned() } else { format!("its log ends: {log}") })
}
