//! `omni serve`, which is also what `omni` alone does: the hub, until it is asked to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use omni_gateway::Gateway;
use tokio::sync::watch;

use crate::cli::banner::banner;
use crate::cli::context::Context;
use crate::cli::say::say;
use crate::config::{self, Settings};
use crate::run;

/// Run the hub (this is what `omni` alone does).
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on, instead of the configuration's `gateway.listen`.
    #[arg(long, env = "OMNI_LISTEN", value_name = "ADDR")]
    listen: Option<String>,
    /// Folder for what the hub must remember, instead of the configuration's `data_dir`.
    #[arg(long, env = "OMNI_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl ServeArgs {
    /// What `omni` alone does: `serve` with what the environment says.
    pub(crate) fn from_env() -> Self {
        Self {
            listen: std::env::var("OMNI_LISTEN").ok(),
            data_dir: std::env::var_os("OMNI_DATA_DIR").map(PathBuf::from),
        }
    }

    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let (as_written, file) = run::configuration(context)?;
        let mut settings = as_written.clone();
        if let Some(listen) = self.listen {
            settings.gateway.listen = listen;
        }
        let data_dir = self.data_dir.or_else(|| config::data_dir(&settings, &context.around));
        run::start_log(&settings);
        run::runtime()?.block_on(serve(settings, file.map(|file| (file, as_written)), data_dir, context))
    }
}

async fn serve(
    settings: Settings,
    file: Option<(PathBuf, Settings)>,
    data_dir: Option<PathBuf>,
    context: &Context,
) -> Result<ExitCode> {
    let mut stop_signals = run::StopSignals::install()?;
    let running = run::assemble(&settings, data_dir.as_deref())?;
    let (stop, stopping) = watch::channel(false);
    let gateway = Gateway::bind(&settings.gateway, run::has_logins(&settings), running.hub.clone(), stopping).await?;
    say!("{}", banner(gateway.address(), &settings, file.as_ref().map(|(file, _)| file.as_path())));
    running.wake_unknown();
    if let Some((file, as_written)) = file {
        // What the command line says goes before the file, and is no change of it.
        tokio::spawn(run::follow(running.clone(), file, context.around.clone(), as_written));
    }
    let mut serving = tokio::spawn(gateway.serve());
    tokio::select! {
        _ = &mut serving => {}
        () = stop_signals.next() => {
            tracing::info!("stopping: calls in flight may finish");
            let _nobody_listens = stop.send(true);
            tokio::select! {
                _ = serving => {}
                // Asked a second time, it does not wait for them any more.
                () = stop_signals.next() => {}
            }
        }
    }
    running.hub.stop().await;
    Ok(ExitCode::SUCCESS)
}
