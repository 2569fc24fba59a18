//! Following the configuration file: a change is taken over without a restart, a bad file leaves the old in force.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use omni_gateway::admin::{ReloadRequest, Reloaded};
use omni_gateway::settings::GatewaySettings;
use tokio::sync::mpsc;

use crate::config::{self, Settings, Surroundings};
use crate::run::assemble::Running;
use crate::run::default::run_beside;
use crate::run::recorded;

/// Between two looks at the file. It is looked at rather than watched: that also sees what a mounted folder's swapped
/// link or a network file system changes, and costs one system call.
const LOOK: Duration = Duration::from_millis(500);

/// What tells one state of a file from another without reading it.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// Follows `path` for as long as the hub runs.
pub(crate) async fn follow(
    running: Running,
    path: PathBuf,
    around: Surroundings,
    mut current: Settings,
    mut wishes: mpsc::Receiver<ReloadRequest>,
) {
    let mut hang_up = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
    let started = current.clone();
    // Nothing was seen yet: what was written since the settings were read is found by its content.
    let mut seen = Stamp::new();
    let mut audit_waits = Vec::new();
    loop {
        let asked = async {
            match &mut hang_up {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        };
        let wish = tokio::select! {
            () = tokio::time::sleep(LOOK) => {
                let now = stamp(&path, &current);
                if now == seen {
                    continue;
                }
                seen = now;
                None
            }
            () = asked => {
                seen = stamp(&path, &current);
                None
            }
            Some(wish) = wishes.recv() => {
                seen = stamp(&path, &current);
                Some(wish)
            }
        };
        let taken = take(&running, &path, &around, &current);
        if let Err(why) = &taken {
            recorded::refused(&running.hub, why);
            tracing::error!("the changed configuration is not taken over, the old one stays in force: {why}");
        }
        let told = match taken {
            Ok(taken) => {
                let changed = taken.is_some();
                if let Some(settings) = taken {
                    audit_waits = running.audit_by(&started.audit, &current.audit, &settings.audit);
                    current = settings;
                    // It may name other files now, and may have been written again meanwhile.
                    seen = Stamp::new();
                }
                let mut restart = waiting(&running, &started, &current);
                restart.extend(audit_waits.iter().cloned());
                if changed && !restart.is_empty() {
                    tracing::warn!(settings = restart.join(", "), "these take effect when the hub is started again");
                }
                Ok(Reloaded { changed, restart })
            }
            Err(why) => Err(why),
        };
        if let Some(wish) = wish {
            let _nobody_waits = wish.send(told);
        }
    }
}

/// What the hub was started with and goes on with until it is started again, though the file says otherwise by now.
fn waiting(running: &Running, started: &Settings, now: &Settings) -> Vec<String> {
    let all = [
        // How long calls may take to finish is in force at once.
        (
            "gateway",
            started.gateway
                != GatewaySettings { drain_timeout_s: started.gateway.drain_timeout_s, ..now.gateway.clone() },
        ),
        ("admin", started.admin != now.admin),
        // All else of it is in force at once.
        ("auth.mode", !running.lets_in_by(&now.auth)),
        ("data_dir", started.data_dir != now.data_dir),
        ("log", started.log != now.log),
    ];
    all.into_iter().filter(|(_, waits)| *waits).map(|(name, _)| name.to_owned()).collect()
}

/// Of the configuration and the files of policies that it names.
fn stamp(path: &Path, current: &Settings) -> Stamp {
    let one = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    std::iter::once(path).chain(current.policy.files.iter().map(PathBuf::as_path)).map(one).collect()
}

/// The settings that are in force now, when they are others than before; or why they are not.
fn take(running: &Running, path: &Path, around: &Surroundings, current: &Settings) -> Result<Option<Settings>, String> {
    let mut settings = config::load(path, around).map_err(|errors| format!("{errors:#}"))?.settings;
    run_beside(&mut settings, path);
    if settings == *current {
        return Ok(None);
    }
    running.apply(&settings).map_err(|error| error.to_string())?;
    recorded::reloaded(&running.hub, current, &settings);
    running.wake_unknown();
    tracing::info!(file = %path.display(), servers = settings.servers.len(), "configuration taken over");
    Ok(Some(settings))
}
