//! The same calls over the standard streams of a process of its own: what a hub in between is compared with.

use crate::load::check::{Expected, check};
use crate::load::session::{ECHO_BYTES, FIRST_ID};
use crate::load::{LoadArgs, Measured, Meter, PATIENCE, Tally};
use anyhow::{Context, ensure};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// The two ends of the process.
struct Pipe {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    calls: u64,
}

impl Pipe {
    async fn say(&mut self, line: &str) -> anyhow::Result<()> {
        self.input.write_all(line.as_bytes()).await.context("writing to the server")
    }

    async fn hear(&mut self) -> anyhow::Result<String> {
        let line = timeout(PATIENCE, self.output.next_line()).await.context("the server is silent")??;
        line.context("the server has ended")
    }

    /// Sends one call; its text, by which its answer is known.
    async fn call(&mut self) -> anyhow::Result<Flying> {
        self.calls += 1;
        let (id, width) = (FIRST_ID + self.calls, ECHO_BYTES);
        let text = format!("s00000-n{:x<width$}", self.calls, width = width - 8);
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{{\"text\":\"{text}\"}}}}}}\n"
        );
        let since = Instant::now();
        self.say(&line).await?;
        Ok(Flying { id, text, since })
    }
}

/// A call that waits for its answer.
struct Flying {
    id: u64,
    text: String,
    since: Instant,
}

/// Starts the program and keeps `sessions` calls in flight.
pub(crate) async fn run(args: &LoadArgs, program: &str, rest: &[String]) -> anyhow::Result<Measured> {
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let (input, output) = (child.stdin.take().context("no input")?, child.stdout.take().context("no output")?);
    let mut pipe = Pipe { input, output: BufReader::new(output).lines(), calls: 0 };
    pipe.say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"omni-bench\",\"version\":\"0\"}}}\n").await?;
    ensure!(pipe.hear().await?.contains("protocolVersion"), "initialize was not answered");
    pipe.say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n").await?;

    let mut total = Tally::new();
    let warm = Instant::now() + Duration::from_millis(200);
    drive(&mut pipe, args.sessions, warm, &mut total).await?;
    let mut total = Tally { latencies: crate::load::histogram::Histogram::new(), ..total };
    let meter = Meter::start(&args.watch);
    drive(&mut pipe, args.sessions, Instant::now() + Duration::from_secs_f64(args.seconds), &mut total).await?;
    let measured = meter.stop(args, &total);
    drop(pipe);
    let _ = timeout(PATIENCE, child.wait()).await;
    Ok(measured)
}

async fn drive(pipe: &mut Pipe, sessions: u32, until: Instant, total: &mut Tally) -> anyhow::Result<()> {
    let mut flying = std::collections::HashMap::new();
    for _ in 0..sessions {
        let call = pipe.call().await?;
        flying.insert(call.id, call);
    }
    while !flying.is_empty() {
        let line = pipe.hear().await?;
        let answered = answered(&line).and_then(|id| flying.remove(&id));
        let Flying { id, text, since } = answered.with_context(|| format!("an answer to nothing: {line}"))?;
        let expected = Expected { id, text: text.as_bytes(), length: ECHO_BYTES, result_type: false };
        match check(line.as_bytes(), false, &expected) {
            Ok(()) => total.latencies.record(u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            Err(error) => total.fail(&error),
        }
        if Instant::now() < until {
            let call = pipe.call().await?;
            flying.insert(call.id, call);
        }
    }
    Ok(())
}

/// The id of an answer; it is checked with the rest of it.
fn answered(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("\"id\":")?;
    let rest = rest.trim_start();
    rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}
