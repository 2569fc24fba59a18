//! What is measured beside the blocks of small calls: other answers, lists, eras, and servers over stdio.

use crate::load::{Era, LIST, Over};
use crate::run::args::Part;
use crate::run::gateway::{Piped, Shape};

/// One kind of traffic.
pub(crate) struct Case {
    /// Short and unique; rows of the results bear it.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(super) part: Part,
    pub(super) era: Era,
    pub(super) sessions: u32,
    pub(super) tool: &'static str,
    pub(super) payload: usize,
    pub(super) upstream: &'static [&'static str],
    pub(super) contenders: &'static [&'static str],
    pub(super) shape: Shape,
    pub(super) over: Over,
}

/// All cases, in the order of the report.
pub(crate) fn cases() -> Vec<Case> {
    let one = Shape::default();
    let all: &[&str] = &["rawproxy", "nginx", "omni"];
    let legacy = Era::Legacy;
    let list = |name, title, servers, each, tools| Case {
        tool: LIST,
        sessions: 1,
        payload: servers * each,
        upstream: tools,
        shape: Shape { servers, ..one },
        ..base(name, title, Part::Lists, legacy)
    };
    let mut cases = vec![
        Case {
            upstream: &["--sse"],
            contenders: all,
            ..base("sse", "answered as a stream of one event, 16 sessions", Part::Sse, legacy)
        },
        Case {
            tool: "blob",
            payload: 65_536,
            contenders: all,
            ..base("blob", "an answer of 64 KB, 16 sessions", Part::Blob, legacy)
        },
        list("list-500", "`tools/list`, 10 servers of 50 tools, all pages", 10, 50, &["--tools", "50"]),
        list("list-10000", "`tools/list`, 100 servers of 100 tools, all pages", 100, 100, &["--tools", "100"]),
        Case {
            contenders: &["direct", "omni"],
            shape: Shape { stdio: Some(Piped::Upstream), ..one },
            ..base("stdio", "a server over stdio that costs nothing, 16 calls in flight", Part::Stdio, legacy)
        },
        Case {
            contenders: &["direct", "omni"],
            shape: Shape { stdio: Some(Piped::Sdk), ..one },
            ..base("stdio-sdk", "a server over stdio by the Python SDK, 16 calls in flight", Part::Stdio, legacy)
        },
    ];
    cases.extend(channels());
    cases
}

/// Calls of `echo` through the hub, 16 at a time.
fn base(name: &'static str, title: &'static str, part: Part, era: Era) -> Case {
    Case {
        name,
        title,
        part,
        era,
        sessions: 16,
        tool: "echo",
        payload: 64,
        upstream: &[],
        contenders: &["omni"],
        shape: Shape::default(),
        over: Over::Http1,
    }
}

/// Eras and transports that the two sides do not share.
fn channels() -> Vec<Case> {
    let (legacy, modern) = (Era::Legacy, Era::Modern);
    vec![
        Case {
            upstream: &["--era", "legacy"],
            ..base(
                "modern-to-legacy",
                "a client of 2026-07-28, a server of 2025-11-25, 16 sessions",
                Part::Cross,
                modern,
            )
        },
        Case {
            upstream: &["--era", "modern"],
            ..base(
                "legacy-to-modern",
                "a client of 2025-11-25, a server of 2026-07-28, 16 sessions",
                Part::Cross,
                legacy,
            )
        },
        Case {
            over: Over::Http2,
            ..base("http2", "HTTP/2 towards the client, a connection a session, 16 sessions", Part::Http2, legacy)
        },
        Case {
            over: Over::Websocket,
            ..base("websocket", "WebSocket towards the client, 16 sessions", Part::Websocket, legacy)
        },
    ]
}

impl Case {
    /// The path at the hub by which it is called: lists are those of all servers.
    pub(super) const fn path(&self) -> &'static str {
        if self.shape.servers > 1 { "/mcp" } else { "/mcp/bench" }
    }

    pub(super) fn upstream_era(&self) -> Era {
        if self.upstream.contains(&"modern") { Era::Modern } else { Era::Legacy }
    }
}
