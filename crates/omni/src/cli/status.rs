//! `omni status`: the hub that runs, at a glance.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cli::admin::DataDir;
use crate::cli::context::Context;
use crate::cli::say::say;

/// Show how the hub that runs fares.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: DataDir,
}

impl StatusArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let status = self.at.of_running(context, "GET", "/status", None)?;
        if self.json {
            say!("{status:#}");
            return Ok(ExitCode::SUCCESS);
        }
        let text = |member: &str| status[member].as_str().unwrap_or_default().to_owned();
        say!("omni {}, process {}: {}", text("version"), status["pid"], text("state"));
        let servers = &status["servers"];
        say!(
            "servers    {} ready, {} starting, {} asleep, {} failing",
            servers["ready"],
            servers["starting"],
            servers["asleep"],
            servers["failing"]
        );
        say!("sessions   {}", status["sessions"]);
        say!(
            "calls      {} in flight, {} waiting for input, {} for approval",
            status["calls"],
            status["waiting_for_input"],
            status["waiting_for_approval"]
        );
        let store = match text("store").as_str() {
            "unreadable" => {
                "cannot be read: API keys and tokens of providers are refused (`omni store check` says why)"
            }
            "none" => "none: this hub has no data directory",
            _ => "in order",
        };
        say!("store      {store}");
        Ok(ExitCode::SUCCESS)
    }
}
