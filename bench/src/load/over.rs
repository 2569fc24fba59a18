//! The same calls over HTTP/2 and over WebSocket: a connection a session, one call in flight on each.

use crate::load::check::{Expected, check};
use crate::load::frames::WebSocket;
use crate::load::histogram::Histogram;
use crate::load::session::{ECHO_BYTES, FIRST_ID, Over};
use crate::load::{FAILURES_MAX, LoadArgs, Measured, Meter, PATIENCE, Plan, Tally};
use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"omni-bench","version":"0"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

enum Line {
    Http2 { sender: SendRequest<Full<Bytes>>, url: String, session: Option<HeaderValue> },
    WebSocket(WebSocket),
}

/// A session of 2025-11-25 that is open.
struct Caller {
    line: Line,
    tool: String,
    number: usize,
    calls: u64,
}

impl Caller {
    async fn open(plan: &Plan, over: Over, number: usize) -> anyhow::Result<Self> {
        let line = match over {
            Over::Http1 => bail!("HTTP/1.1 is the other module's"),
            Over::Http2 => Line::Http2 {
                sender: connect(plan).await?,
                url: format!("http://{}{}", plan.authority, plan.path),
                session: None,
            },
            Over::Websocket => Line::WebSocket(WebSocket::connect(plan).await?),
        };
        let mut caller = Self { line, tool: plan.tool.clone(), number, calls: 0 };
        let opened = caller.say(INITIALIZE.to_owned()).await.context("initialize")?;
        ensure!(memchr::memmem::find(&opened, b"protocolVersion").is_some(), "initialize was refused");
        match &mut caller.line {
            Line::WebSocket(line) => line.send(INITIALIZED.as_bytes()).await?,
            Line::Http2 { .. } => drop(caller.say(INITIALIZED.to_owned()).await.context("initialized")?),
        }
        Ok(caller)
    }

    /// Sends a message and waits for what comes back.
    async fn say(&mut self, message: String) -> anyhow::Result<Bytes> {
        match &mut self.line {
            Line::WebSocket(line) => {
                line.send(message.as_bytes()).await?;
                line.receive().await
            }
            Line::Http2 { sender, url, session } => {
                let mut request = Request::builder().method(Method::POST).uri(url.as_str());
                request = request.header(header::CONTENT_TYPE, "application/json");
                request = request.header(header::ACCEPT, "application/json, text/event-stream");
                if let Some(id) = session {
                    request = request.header("mcp-session-id", id.clone());
                    request = request.header("mcp-protocol-version", "2025-11-25");
                }
                sender.ready().await?;
                let answer = sender.send_request(request.body(Full::new(message.into()))?).await?;
                ensure!(answer.status().is_success(), "status {}", answer.status());
                if let Some(id) = answer.headers().get("mcp-session-id") {
                    *session = Some(id.clone());
                }
                Ok(answer.into_body().collect().await?.to_bytes())
            }
        }
    }

    async fn call(&mut self) -> anyhow::Result<Duration> {
        self.calls += 1;
        let id = FIRST_ID + self.calls;
        let (tool, width) = (&self.tool, ECHO_BYTES - 8);
        let text = format!("s{:05}-n{:x<width$}", self.number, self.calls);
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"{text}"}}}}}}"#
        );
        let since = Instant::now();
        let answer = self.say(message).await?;
        let took = since.elapsed();
        check(&answer, false, &Expected { id, text: text.as_bytes(), length: ECHO_BYTES, result_type: false })?;
        Ok(took)
    }

    /// Calls until `until`, or until `calls` were made. `None` if it was given up.
    async fn drive(mut self, until: Option<Instant>, calls: u64) -> (Option<Self>, Tally) {
        let mut tally = Tally::new();
        let mut made = 0;
        while until.map_or(made < calls, |until| Instant::now() < until) {
            made += 1;
            match timeout(PATIENCE, self.call()).await.context("no answer").flatten() {
                Ok(took) => tally.latencies.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)),
                Err(error) => tally.fail(&error),
            }
            if tally.errors >= FAILURES_MAX {
                return (None, tally);
            }
        }
        (Some(self), tally)
    }
}

async fn connect(plan: &Plan) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(plan.to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Opens the sessions, warms up, measures.
pub(crate) async fn run(args: &LoadArgs) -> anyhow::Result<Measured> {
    let plan = Plan::new(&args.url, args.era, &args.tool, args.payload).await?;
    ensure!(args.tool.ends_with("echo") && args.era == crate::load::Era::Legacy, "only echo of 2025-11-25 is measured");
    let mut total = Tally::new();
    let mut callers = Vec::new();
    for number in 0..args.sessions as usize {
        callers
            .push(timeout(PATIENCE, Caller::open(&plan, args.over, number)).await.context("opening took too long")??);
    }
    let callers = all(callers, None, args.warmup, &mut total).await;
    total.latencies = Histogram::new();
    let meter = Meter::start(&args.watch);
    let until = Instant::now() + Duration::from_secs_f64(args.seconds);
    let left = all(callers, args.calls.is_none().then_some(until), args.calls.unwrap_or_default(), &mut total).await;
    let measured = meter.stop(args, &total);
    drop(left);
    Ok(measured)
}

async fn all(callers: Vec<Caller>, until: Option<Instant>, calls: u64, total: &mut Tally) -> Vec<Caller> {
    let mut driving = JoinSet::new();
    for caller in callers {
        driving.spawn(caller.drive(until, calls));
    }
    let mut left = Vec::new();
    for (caller, tally) in driving.join_all().await {
        total.add(tally);
        left.extend(caller);
    }
    left
}
