//! The options of `omni-bench run`.

use crate::load::{Era, seconds};
use crate::upstream::Speaks;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which CPUs are whose.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Placement {
    /// The gateway on CPU 0, load and upstream on CPU 1
    TwoCores,
    /// All on CPU 1
    OneCore,
    /// Nothing pinned
    Free,
}

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Part {
    /// Small calls, in blocks
    Calls,
    /// From start to first answer, and idle memory
    Starts,
    /// Answers that are event streams
    Sse,
    /// Answers of 64 KB
    Blob,
    /// Lists of 500 and of 10,000 tools
    Lists,
    /// Servers over stdio
    Stdio,
    /// Clients of one era, servers of the other
    Cross,
    /// Clients over HTTP/2
    Http2,
    /// Clients over WebSocket
    Websocket,
    /// 1,000 and 9,000 sessions that only hold a stream open
    Idle,
}

/// `omni-bench run`
#[derive(Args)]
pub(crate) struct RunArgs {
    /// The hub's program; left out if not given
    #[arg(long, value_name = "PATH")]
    pub(crate) omni: Option<PathBuf>,
    /// nginx's program; the installed one if not given
    #[arg(long, value_name = "PATH")]
    pub(crate) nginx: Option<PathBuf>,
    /// The Rust crate mcp-proxy's program; left out if not given
    #[arg(long, value_name = "PATH")]
    pub(crate) mcp_proxy: Option<PathBuf>,
    /// Contenders to leave out
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Part>,
    /// Rounds; a round is one block of each workload
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Length of one measurement
    #[arg(long, value_parser = seconds, default_value = "3")]
    pub(crate) seconds: f64,
    /// Calls a session before each measurement
    #[arg(long, default_value_t = 50)]
    pub(crate) warmup: u64,
    /// One round of 1.2 s: under two minutes, for orientation
    #[arg(long)]
    pub(crate) quick: bool,
    /// Numbers of concurrent sessions
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    pub(crate) sessions: Vec<u32>,
    /// Protocol eras of the clients
    #[arg(long, value_enum, value_delimiter = ',', default_value = "legacy,modern")]
    pub(crate) eras: Vec<Era>,
    /// Protocol eras the upstream answers in
    #[arg(long, value_enum, default_value = "both")]
    pub(crate) upstream_era: Speaks,
    /// The upstream's tool to call: echo or blob
    #[arg(long, default_value = "echo", value_parser = ["echo", "blob"])]
    pub(crate) tool: String,
    /// Length of the text that blob answers with
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    pub(crate) payload: usize,
    /// Let the upstream answer with event streams
    #[arg(long)]
    pub(crate) sse: bool,
    /// Which CPUs are whose
    #[arg(long, value_enum, default_value = "two-cores")]
    pub(crate) placement: Placement,
    /// Run all that is measured under SCHED_RR, so that other work on the machine waits (needs root)
    #[arg(long)]
    pub(crate) realtime: bool,
    /// Directory of the results, one file of JSON lines a run
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub(crate) out: PathBuf,
    /// Directory in which PERFORMANCE.md and performance/ are written
    #[arg(long, value_name = "DIR", default_value = "docs")]
    pub(crate) docs: PathBuf,
}

impl RunArgs {
    /// Whether a part is to be measured.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// Numbers of idle sessions.
    pub(crate) fn idle_sessions(&self) -> Vec<u32> {
        if self.quick { vec![1_000] } else { vec![1_000, 9_000] }
    }

    /// Rounds, by what was asked.
    pub(crate) fn rounds_wanted(&self) -> usize {
        if self.quick { 1 } else { self.rounds as usize }
    }

    /// Length of a measurement, by what was asked.
    pub(crate) fn seconds_wanted(&self) -> f64 {
        if self.quick { 1.2 } else { self.seconds }
    }

    /// An era that the upstream speaks: what does not depend on the era is measured in this.
    pub(crate) fn sure_era(&self) -> Era {
        if self.upstream_era == Speaks::Modern { Era::Modern } else { Era::Legacy }
    }

    /// Starts of each gateway, by what was asked.
    pub(crate) fn start_rounds(&self) -> usize {
        if self.quick { 3 } else { 2 * self.rounds as usize }
    }
}
