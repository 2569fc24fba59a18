//! `omni stdio`: the hub for one client, on standard input and output.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Args;
use omni_hub::Scope;
use omni_types::ServerName;

use crate::cli::context::Context;
use crate::run;

/// Serve one client on standard input and output.
#[derive(Debug, Args)]
pub(crate) struct StdioArgs {
    /// Show this server alone, under its own names.
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Tell and show what this profile does.
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    profile: Option<String>,
    /// Folder for what the hub must remember, instead of the configuration's `data_dir`.
    #[arg(long, env = "OMNI_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl StdioArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let (settings, _) = run::configuration(context)?;
        let scope = match &self.server {
            None => Scope::All,
            Some(name) if settings.servers.contains_key(name) => Scope::One(ServerName::parse(name)?),
            Some(name) => return Err(anyhow!("there is no server `{name}` in the configuration")),
        };
        let data_dir = context.data_dir(self.data_dir, &settings);
        run::start_log(&settings);
        let runtime = run::runtime()?;
        let outcome = runtime.block_on(async {
            let mut stop_signals = run::StopSignals::install()?;
            let running = run::assemble(&settings, data_dir.as_deref())?;
            if let Err(error) = running.hub.load_choices().await {
                tracing::error!(%error, "which profiles people chose cannot be read: where there are profiles, nothing is shown");
            }
            running.wake_unknown();
            let (_never, stopping) = tokio::sync::watch::channel(false);
            running.audit.send_on(&settings.audit, &stopping);
            let scope = match &self.profile {
                None => scope,
                Some(name) => running.hub.profile_scope(name).ok_or_else(|| {
                    anyhow!("there is no profile `{name}`: `omni profile list` shows those that there are")
                })?,
            };
            let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
            let limit = settings.gateway.body_bytes_max;
            let stop = stop_signals.next();
            let served = omni_gateway::stdio::serve(running.hub.clone(), scope, (input, output), limit, stop).await;
            running.hub.stop().await;
            running.close_secrets().await;
            running.audit.close();
            served.map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from)
        });
        // A read of standard input cannot be taken back; the process must not wait for the client's next line.
        runtime.shutdown_background();
        outcome
    }
}
