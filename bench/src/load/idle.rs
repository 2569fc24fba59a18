//! Sessions that do nothing but hold a stream open, and what the gateway holds for each.

use crate::load::session::{Era, Plan, Session};
use crate::load::wire::Wire;
use crate::load::{PATIENCE, watched};
use crate::process::Memory;
use anyhow::{Context, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Sessions that are opened at a time.
const OPENING: usize = 64;
/// After the last was opened, or closed, before memory is read.
const SETTLE: Duration = Duration::from_secs(2);
/// Each so manieth session is called while all are open.
const CALLED: usize = 20;

/// `omni-bench idle`
#[derive(Args, Clone)]
pub(crate) struct IdleArgs {
    /// Endpoint, on a loopback address
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// Sessions
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=9500))]
    pub(crate) sessions: u32,
    /// The process whose memory is read
    #[arg(long, value_name = "NAME=PID", value_parser = watched)]
    pub(crate) watch: (String, u32),
}

/// What was found.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Idled {
    /// Sessions whose stream was open.
    pub(crate) sessions: u32,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    pub(crate) opened_in_s: f64,
    pub(crate) rss_before_kib: u64,
    pub(crate) rss_open_kib: u64,
    pub(crate) rss_after_kib: u64,
    /// Calls on every twentieth session while all were open.
    pub(crate) calls: u64,
}

/// Opens, waits, calls some, closes.
pub(crate) async fn run(args: &IdleArgs) -> anyhow::Result<Idled> {
    let plan = Plan::new(&args.url, Era::Legacy, "echo", 0).await?;
    let rss = || Memory::of_tree(args.watch.1).rss_kib;
    let (rss_before_kib, began) = (rss(), Instant::now());
    let (mut open, mut errors, mut first_error) = (Vec::new(), 0, None);
    let mut fail = |error: &anyhow::Error| {
        errors += 1;
        first_error.get_or_insert_with(|| format!("{error:#}"));
    };
    let mut opening = JoinSet::new();
    let mut next = 0;
    while next < args.sessions as usize || !opening.is_empty() {
        while next < args.sessions as usize && opening.len() < OPENING {
            let plan = plan.clone();
            opening
                .spawn(async move { timeout(PATIENCE, open_one(&plan, next)).await.context("opening took too long")? });
            next += 1;
        }
        match opening.join_next().await {
            Some(Ok(Ok(one))) => open.push(one),
            Some(Ok(Err(error))) => fail(&error),
            Some(Err(error)) => fail(&error.into()),
            None => {}
        }
    }
    let opened_in_s = began.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let rss_open_kib = rss();
    let mut calls = 0;
    for one in open.iter_mut().step_by(CALLED) {
        let called = async {
            // The stream stays open beside the call.
            let _stream = std::mem::replace(&mut one.wire, Wire::connect(plan.to).await?);
            one.call().await
        };
        match timeout(PATIENCE, called).await.context("no answer")? {
            Ok(_) => calls += 1,
            Err(error) => fail(&error),
        }
    }
    let sessions = u32::try_from(open.len())?;
    for mut one in open {
        one.reconnect().await?;
        timeout(PATIENCE, one.close()).await.context("closing took too long")?;
    }
    tokio::time::sleep(SETTLE).await;
    Ok(Idled { sessions, errors, first_error, opened_in_s, rss_before_kib, rss_open_kib, rss_after_kib: rss(), calls })
}

/// A session whose only connection is its stream.
async fn open_one(plan: &Plan, number: usize) -> anyhow::Result<Session> {
    let mut session = Session::open(plan, number).await?;
    let Plan { path, authority, .. } = plan;
    let headers = &session.headers;
    let get = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\naccept: text/event-stream\r\n{headers}\r\n");
    let (status, events) = session.wire.open(get.as_bytes()).await?;
    ensure!(status == 200 && events, "the stream was answered with status {status}");
    Ok(session)
}
