//! `omni serve`, which is also what `omni` alone does: the hub, until it is asked to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use omni_auth::settings::AuthMode;
use omni_gateway::Gateway;
use omni_gateway::admin::{AdminListener, AdminService};
use tokio::sync::{mpsc, watch};

use crate::cli::banner::banner;
use crate::cli::context::Context;
use crate::cli::say::say;
use crate::config::Settings;
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

/// Wishes to read the configuration again that may wait.
const WISHES_MAX: usize = 8;

impl ServeArgs {
    /// What `omni` alone does: `serve` with what the environment says.
    pub(crate) fn from_env() -> Self {
        Self { listen: std::env::var("OMNI_LISTEN").ok(), data_dir: None }
    }

    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let (as_written, file) = run::configuration(context)?;
        let mut settings = as_written.clone();
        if let Some(listen) = self.listen {
            settings.gateway.listen = listen;
        }
        let data_dir = context.data_dir(self.data_dir, &settings);
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
    // Before anybody is let in: who was refused before the hub stopped is refused still.
    running.administration.load().await;
    let gateway =
        Gateway::bind(&settings.gateway, run::has_logins(&settings), running.hub.clone(), stopping.clone()).await?;
    let (wish, wishes) = mpsc::channel(WISHES_MAX);
    let service = AdminService::new(Arc::clone(&running.administration), file.is_some().then_some(wish));
    // A hub that was to be administered from elsewhere, and cannot be, does not start.
    let beyond = match &settings.admin {
        Some(admin) => Some(Gateway::bind_admin(admin, service.clone(), stopping.clone()).await?),
        None => None,
    };
    let path = file.as_ref().map(|(file, _)| file.as_path());
    let banner = banner(gateway.address(), beyond.as_ref().map(Gateway::address), &settings, path);
    if let Some(beyond) = &beyond {
        tracing::info!(address = %beyond.address(), "the admin API is served over TLS, too");
    }
    run::recorded::started(&running.hub, &settings);
    if settings.auth.mode == AuthMode::None {
        tracing::warn!("auth.mode is none: every program that can reach this address may use the hub");
    }
    running.wake_unknown();
    if let Some((file, as_written)) = file {
        // What the command line says goes before the file, and is no change of it.
        tokio::spawn(run::follow(running.clone(), file, context.around.clone(), as_written, wishes));
    }
    tokio::spawn(Arc::clone(&running.administration).follow());
    running.audit.send_on(&settings.audit, &stopping);
    let beyond = beyond.map(|beyond| tokio::spawn(beyond.serve()));
    let administering = administer(&running, data_dir.as_deref(), service, stopping);
    // Whoever reads it may ask the admin API, too.
    say!("{banner}");
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
    running.close_secrets().await;
    for administering in [administering, beyond].into_iter().flatten() {
        let _it_ends_by_itself = administering.await;
    }
    running.administration.note_uses(0).await;
    run::recorded::stopped(&running.hub);
    running.audit.close();
    Ok(ExitCode::SUCCESS)
}

/// Serves the admin API on its socket. A hub without one serves its clients all the same.
fn administer(
    running: &run::Running,
    data_dir: Option<&Path>,
    service: AdminService,
    stopping: watch::Receiver<bool>,
) -> Option<tokio::task::JoinHandle<()>> {
    let listener = match AdminListener::bind(data_dir?.to_owned()) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "`omni key`, `omni token`, `omni approvals` and `omni reload` cannot reach this hub");
            return None;
        }
    };
    running.hub.approvals().attend();
    Some(tokio::spawn(listener.serve(service, stopping)))
}
