//! One client session: opened as its era asks, then calls of one tool, each with an id and a text of its own.

use crate::load::check::{Expected, check, page};
use crate::load::wire::Wire;
use anyhow::{Context, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::lookup_host;

/// The text an `echo` is given is so long.
pub(crate) const ECHO_BYTES: usize = 64;
/// The tag within it: `s`, five digits of the session, `-n`, ten of the call.
const TAG_BYTES: usize = 18;
/// Ids start here, so that all have the same number of digits and a request is only patched, never built.
pub(crate) const FIRST_ID: u64 = 1_000_000_000;
/// The name under which the list of tools is asked for instead of a call.
pub(crate) const LIST: &str = "list";
const LEGACY_REVISION: &str = "2025-11-25";
const MODERN_REVISION: &str = "2026-07-28";

/// The protocol era a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Era {
    /// 2025-11-25: a session by `initialize`
    Legacy,
    /// 2026-07-28: stateless
    Modern,
}

impl Era {
    /// The revision spoken.
    pub(crate) fn revision(self) -> &'static str {
        match self {
            Self::Legacy => LEGACY_REVISION,
            Self::Modern => MODERN_REVISION,
        }
    }
}

/// What carries the calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Over {
    /// HTTP/1.1
    #[default]
    Http1,
    /// HTTP/2 without TLS
    Http2,
    /// WebSocket, subprotocol `mcp`
    Websocket,
}

impl Over {
    /// As the command line names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Websocket => "websocket",
        }
    }
}

/// Where and what to call.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) to: SocketAddr,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) era: Era,
    pub(crate) tool: String,
    /// The answer's text is so long: that of `echo`, or `blob`'s payload. Of `list`: so many tools.
    pub(crate) text_bytes: usize,
}

impl Plan {
    /// Reads `http://HOST:PORT/PATH`.
    pub(crate) async fn new(url: &str, era: Era, tool: &str, payload: usize) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| format!("{url}: only http:// can be called"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let to = lookup_host(authority).await.with_context(|| format!("{url}: no such host and port"))?.next();
        let to = to.with_context(|| format!("{url}: the host has no address"))?;
        ensure!(to.ip().is_loopback(), "{url}: load is only sent to loopback addresses, not to {}", to.ip());
        let text_bytes = if tool.ends_with("blob") || tool == LIST { payload } else { ECHO_BYTES };
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        Ok(Self { to, authority: authority.to_owned(), path, era, tool: tool.to_owned(), text_bytes })
    }

    /// A whole POST.
    pub(super) fn post(&self, headers: &str, body: &str) -> Vec<u8> {
        let Self { authority, path, .. } = self;
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\n{headers}content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn call_body(&self) -> String {
        let argument = if self.tool.ends_with("blob") { "tag" } else { "text" };
        let tag_bytes = if argument == "tag" { TAG_BYTES } else { ECHO_BYTES };
        let meta = self.meta();
        if self.tool == LIST {
            return self.page_body(FIRST_ID, None);
        }
        let (tool, text) = (&self.tool, "x".repeat(tag_bytes));
        format!(
            r#"{{"jsonrpc":"2.0","id":{FIRST_ID},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"{argument}":"{text}"}}{meta}}}}}"#
        )
    }

    /// A request for one page of the list of tools.
    pub(super) fn page_body(&self, id: u64, cursor: Option<&str>) -> String {
        let cursor = cursor.map_or(String::new(), |cursor| format!(r#""cursor":"{cursor}""#));
        let meta = self.meta();
        let meta = if cursor.is_empty() { meta.trim_start_matches(',') } else { meta.as_str() };
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{{cursor}{meta}}}}}"#)
    }

    /// What 2026-07-28 says in each request, with a comma before it.
    fn meta(&self) -> String {
        match self.era {
            Era::Legacy => String::new(),
            Era::Modern => format!(
                r#","_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN_REVISION}","io.modelcontextprotocol/clientInfo":{{"name":"omni-bench","version":"{}"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}"#,
                env!("CARGO_PKG_VERSION")
            ),
        }
    }
}

/// A session that is open.
pub(crate) struct Session {
    pub(super) plan: Plan,
    pub(super) wire: Wire,
    /// The request, with the last call's id and tag in it.
    request: Vec<u8>,
    /// Those that its era asks for in each request.
    pub(super) headers: String,
    id_at: usize,
    tag_at: usize,
    sent_text_bytes: usize,
    number: usize,
    pub(super) calls: u64,
    pub(super) close: Option<Vec<u8>>,
}

impl Session {
    /// Connects, and opens the session if the era has one. `number` tells it from the others.
    pub(crate) async fn open(plan: &Plan, number: usize) -> anyhow::Result<Self> {
        let mut wire = Wire::connect(plan.to).await?;
        let (headers, close) = match plan.era {
            Era::Legacy => initialize(plan, &mut wire).await?,
            Era::Modern if plan.tool == LIST => {
                (format!("mcp-protocol-version: {MODERN_REVISION}\r\nmcp-method: tools/list\r\n"), None)
            }
            Era::Modern => (
                format!(
                    "mcp-protocol-version: {MODERN_REVISION}\r\nmcp-method: tools/call\r\nmcp-name: {}\r\n",
                    plan.tool
                ),
                None,
            ),
        };
        let request = plan.post(&headers, &plan.call_body());
        if plan.tool == LIST {
            let plan = plan.clone();
            let (id_at, tag_at, sent_text_bytes) = (0, 0, 0);
            return Ok(Self { plan, wire, request, headers, id_at, tag_at, sent_text_bytes, number, calls: 0, close });
        }
        let find = |what: &[u8]| memchr::memmem::rfind(&request, what).context("a request without its marks");
        let (id_at, tag_at) = (find(FIRST_ID.to_string().as_bytes())?, find(b":\"xxxx")? + 2);
        let sent_text_bytes = request[tag_at..].iter().take_while(|byte| **byte == b'x').count();
        Ok(Self { plan: plan.clone(), wire, request, headers, id_at, tag_at, sent_text_bytes, number, calls: 0, close })
    }

    /// One call; how long it took from the first byte sent to the last received. A wrong answer is an error.
    pub(crate) async fn call(&mut self) -> anyhow::Result<Duration> {
        self.calls += 1;
        let id = FIRST_ID + self.calls;
        if self.plan.tool == LIST {
            return self.list(id).await;
        }
        digits(&mut self.request[self.id_at..self.id_at + 10], id);
        let tag = &mut self.request[self.tag_at..self.tag_at + TAG_BYTES];
        tag[0] = b's';
        digits(&mut tag[1..6], self.number as u64);
        tag[6..8].copy_from_slice(b"-n");
        digits(&mut tag[8..], self.calls);

        let start = Instant::now();
        let answer = self.wire.exchange(&self.request).await?;
        let took = start.elapsed();
        let body = self.wire.body_of(&answer);
        ensure!(
            answer.status == 200,
            "status {}: {:?}",
            answer.status,
            String::from_utf8_lossy(&body[..body.len().min(300)])
        );
        let text = &self.request[self.tag_at..self.tag_at + self.sent_text_bytes];
        let result_type = self.plan.era == Era::Modern;
        check(body, answer.events, &Expected { id, text, length: self.plan.text_bytes, result_type })?;
        if answer.closes {
            self.wire = Wire::connect(self.plan.to).await?;
        }
        Ok(took)
    }

    /// The whole list of tools, page by page.
    async fn list(&mut self, id: u64) -> anyhow::Result<Duration> {
        let start = Instant::now();
        let (mut seen, mut cursor) = (0, None);
        loop {
            let request = self.plan.post(&self.headers, &self.plan.page_body(id, cursor.as_deref()));
            let answer = self.wire.exchange(&request).await?;
            ensure!(answer.status == 200, "status {} for a list", answer.status);
            let page = page(self.wire.body_of(&answer), answer.events, id)?;
            seen += page.tools;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let took = start.elapsed();
        ensure!(seen == self.plan.text_bytes, "a list of {seen} tools, not {}", self.plan.text_bytes);
        Ok(took)
    }

    /// A new connection for the same session, after an exchange broke.
    pub(crate) async fn reconnect(&mut self) -> anyhow::Result<()> {
        self.wire = Wire::connect(self.plan.to).await?;
        Ok(())
    }

    /// Ends the session; whatever is answered to that is no concern of the measurement.
    pub(crate) async fn close(mut self) {
        if let Some(delete) = self.close.take() {
            let _ = self.wire.exchange(&delete).await;
        }
    }
}

/// `initialize` and `initialized`; the headers of what follows, and the request that ends the session.
async fn initialize(plan: &Plan, wire: &mut Wire) -> anyhow::Result<(String, Option<Vec<u8>>)> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"{LEGACY_REVISION}","capabilities":{{}},"clientInfo":{{"name":"omni-bench","version":"{}"}}}}}}"#,
        env!("CARGO_PKG_VERSION")
    );
    let answer = wire.exchange(&plan.post("", &body)).await.context("initialize")?;
    let shown = String::from_utf8_lossy(wire.body_of(&answer)).into_owned();
    ensure!(answer.status == 200, "initialize was answered with status {}: {shown}", answer.status);
    ensure!(shown.contains(r#""protocolVersion""#), "initialize was answered with {shown}");
    // A server may settle on an older revision; what follows then names that.
    let revision = ["2025-11-25", "2025-06-18", "2025-03-26"].into_iter().find(|revision| shown.contains(revision));
    let revision = revision.with_context(|| format!("no revision this client knows in {shown}"))?;
    let mut headers = format!("mcp-protocol-version: {revision}\r\n");
    let session = wire.header_of(&answer, "mcp-session-id").map(str::to_owned);
    if let Some(session) = &session {
        headers.push_str(&format!("mcp-session-id: {session}\r\n"));
    }
    if answer.closes {
        *wire = Wire::connect(plan.to).await?;
    }
    let initialized = plan.post(&headers, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let answer = wire.exchange(&initialized).await.context("notifications/initialized")?;
    ensure!(
        (200..300).contains(&answer.status),
        "notifications/initialized was answered with status {}",
        answer.status
    );
    if answer.closes {
        *wire = Wire::connect(plan.to).await?;
    }
    let Plan { path, authority, .. } = plan;
    let close = session.map(|_| {
        format!("DELETE {path} HTTP/1.1\r\nhost: {authority}\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
    });
    Ok((headers, close))
}

/// Writes a number with leading zeros, as wide as `place`.
fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
