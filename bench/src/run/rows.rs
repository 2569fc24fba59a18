//! The results of a run, one JSON line each: all that the report is made from.

use crate::load::idle::Idled;
use crate::load::{Era, Measured};
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(tag = "row", rename_all = "lowercase")]
pub(crate) enum Row {
    /// What was set out to measure, and on what.
    Run(Run),
    /// A contender that could not be measured (in an era, or at all), and why.
    Absent { contender: String, era: Option<Era>, why: String },
    /// One start of a contender.
    Start(Start),
    /// One measurement of calls.
    Call {
        /// Measurements of one block were made one right after the other: only they are compared.
        block: usize,
        round: usize,
        contender: String,
        measured: Measured,
    },
    /// One measurement of a case beside the blocks.
    Case { case: String, round: usize, contender: String, measured: Measured },
    /// Sessions that only held a stream open.
    Idle { contender: String, idled: Idled },
    /// A measurement that gave no figures.
    Failed { block: usize, contender: String, why: String },
    /// The run is over.
    End { load_average: String, minutes: f64 },
}

/// The settings and surroundings of a run.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) commit: String,
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    pub(crate) load_average: String,
    /// Contenders and what they said of their version.
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) warmup: u64,
    pub(crate) start_rounds: usize,
    pub(crate) tool: String,
    pub(crate) answer_bytes: usize,
    pub(crate) sse: bool,
    pub(crate) upstream_era: String,
    /// CPUs of the gateways, and of load and upstream; empty if nothing was pinned.
    pub(crate) gateway_cpus: String,
    pub(crate) load_cpus: String,
    pub(crate) realtime: bool,
    pub(crate) quick: bool,
}

/// One start of a contender.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Start {
    pub(crate) contender: String,
    pub(crate) round: usize,
    /// It found the data of an earlier start.
    pub(crate) warm: bool,
    /// From the start of the process to the first good answer of a tool.
    pub(crate) first_call_ms: f64,
    /// Half a second after that.
    pub(crate) rss_kib: u64,
    pub(crate) pss_kib: u64,
    pub(crate) threads: u64,
}
