//! What is counted: gateways, eras and kinds of call.

use crate::load::Era;
use crate::run::contenders::omni;
use crate::run::gateway::{Piped, Shape, Site};
use crate::run::launch::Launch;
use crate::run::start::free_address;
use anyhow::Context;
use std::net::SocketAddr;
use std::path::Path;

/// One row of the table.
pub(crate) struct Subject {
    /// Short and unique: the key of the figure.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    hub: bool,
    pub(crate) era: Era,
    pub(crate) tool: &'static str,
    pub(crate) payload: usize,
    path: &'static str,
    pub(crate) prefixed: bool,
    shape: Shape,
    upstream: &'static [&'static str],
}

/// All rows.
pub(crate) fn subjects() -> Vec<Subject> {
    let one = Shape::default();
    let call = |name, title, hub, era| Subject {
        name,
        title,
        hub,
        era,
        tool: "echo",
        payload: 0,
        path: if hub { "/mcp/bench" } else { "/mcp" },
        prefixed: false,
        shape: one,
        upstream: &[],
    };
    let hub = |name, title, era| call(name, title, true, era);
    vec![
        call("rawproxy", "bare hyper proxy, `tools/call`", false, Era::Legacy),
        hub("call-2025", "hub, `tools/call`, 2025-11-25", Era::Legacy),
        hub("call-2026", "hub, `tools/call`, 2026-07-28", Era::Modern),
        Subject { path: "/mcp", prefixed: true, ..hub("all-2025", "hub, all servers, 2025-11-25", Era::Legacy) },
        Subject { upstream: &["--sse"], ..hub("sse-2025", "hub, answered as a stream of events", Era::Legacy) },
        Subject { tool: "blob", payload: 65_536, ..hub("blob-2025", "hub, an answer of 64 KB", Era::Legacy) },
        Subject {
            shape: Shape { stdio: Some(Piped::Upstream), ..one },
            ..hub("stdio-2025", "hub, server over stdio", Era::Legacy)
        },
        Subject { upstream: &["--era", "legacy"], ..hub("cross-2026", "hub, 2026-07-28 to 2025-11-25", Era::Modern) },
        Subject {
            tool: "list",
            payload: 500,
            path: "/mcp",
            shape: Shape { servers: 10, ..one },
            upstream: &["--tools", "50"],
            ..hub("list-500", "hub, `tools/list`, 10 servers of 50 tools", Era::Legacy)
        },
    ]
}

/// What has to be started for a row.
pub(crate) struct Counted {
    pub(crate) upstream: Launch,
    pub(crate) gateway: Launch,
    pub(crate) listen: SocketAddr,
    pub(crate) path: &'static str,
}

impl Subject {
    /// The processes of this row, their files in `dir`.
    pub(crate) fn launches(&self, omni_program: &Path, dir: &Path) -> anyhow::Result<Counted> {
        let own = std::env::current_exe()?;
        let (upstream, listen) = (free_address()?, free_address()?);
        let address = upstream.to_string();
        let payload = self.payload.max(1).to_string();
        let fixed = ["upstream", "--listen", &address, "--payload", &payload];
        let behind = Launch::new(&own, &fixed.iter().chain(self.upstream).copied().collect::<Vec<_>>());
        let gateway = if self.hub {
            let site = Site { listen, upstream, era: self.era, dir: dir.to_owned(), shape: self.shape };
            let hub = omni::gateway(Some(omni_program))?;
            (hub.launch)(&site).context("the hub's configuration")?
        } else {
            Launch::new(&own, &["rawproxy", "--listen", &listen.to_string(), "--to", &address])
        };
        Ok(Counted { upstream: behind, gateway, listen, path: self.path })
    }
}
