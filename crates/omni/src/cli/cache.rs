//! `omni cache`: what the hub that runs keeps to give again.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::admin::DataDir;
use crate::cli::context::Context;
use crate::cli::say::say;

/// What the hub that runs keeps to give again.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    at: DataDir,
}

#[derive(Debug, Subcommand)]
enum What {
    Stats(Stats),
    Purge(Purge),
}

/// Show what was counted of it, and what it holds.
#[derive(Debug, Args)]
struct Stats {
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
}

/// Forget what is kept: everything, what is a server's, or one resource.
#[derive(Debug, Args)]
struct Purge {
    /// What is kept of this server alone.
    server: Option<String>,
    /// This resource alone, under the server's own name for it.
    #[arg(requires = "server")]
    uri: Option<String>,
}

impl CacheArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self.what {
            What::Stats(Stats { json }) => {
                let figures = self.at.of_running(context, "GET", "/cache", None)?;
                if json {
                    say!("{figures:#}");
                } else {
                    said(&figures);
                }
            }
            What::Purge(Purge { server, uri }) => {
                let body = json!({ "server": server, "uri": uri });
                let done = self.at.of_running(context, "POST", "/cache/purge", Some(&body))?;
                say!("forgotten: {}", done["forgotten"]);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn said(figures: &Value) {
    let number = |member: &str| figures[member].as_u64().unwrap_or_default();
    let (hits, looked) = (number("hits"), number("hits") + number("misses"));
    let rate = (hits * 100).checked_div(looked).map_or_else(String::new, |rate| format!(" ({rate} %)"));
    say!("kept       {} entries, {} bytes", number("entries"), number("bytes"));
    say!("looked for {looked}, found {hits}{rate}; {} stood in past their time", number("stale"));
    say!("waited     {} for what another was asking for", number("shared"));
    say!("not kept   {}; forgotten {}", number("refused"), number("forgotten"));
}
