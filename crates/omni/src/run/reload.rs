//! Following the configuration file: a change is taken over without a restart, a bad file leaves the old in force.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config::{self, Settings, Surroundings};
use crate::run::assemble::Running;
use crate::run::default::run_beside;

/// Between two looks at the file. It is looked at rather than watched: that also sees what a mounted folder's swapped
/// link or a network file system changes, and costs one system call.
const LOOK: Duration = Duration::from_millis(500);

/// What tells one state of a file from another without reading it.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// Follows `path` for as long as the hub runs.
pub(crate) async fn follow(running: Running, path: PathBuf, around: Surroundings, mut current: Settings) {
    let mut hang_up = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
    let mut seen = stamp(&path, &current);
    loop {
        let asked = async {
            match &mut hang_up {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {
                let now = stamp(&path, &current);
                if now == seen {
                    continue;
                }
                seen = now;
            }
            () = asked => seen = stamp(&path, &current),
        }
        if let Some(settings) = take(&running, &path, &around, &current) {
            current = settings;
            // It may name other files now.
            seen = stamp(&path, &current);
        }
    }
}

/// Of the configuration and the files of policies that it names.
fn stamp(path: &Path, current: &Settings) -> Stamp {
    let one = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    std::iter::once(path).chain(current.policy.files.iter().map(PathBuf::as_path)).map(one).collect()
}

fn take(running: &Running, path: &Path, around: &Surroundings, current: &Settings) -> Option<Settings> {
    let settings = match config::load(path, around) {
        Ok(mut config) => {
            run_beside(&mut config.settings, path);
            config.settings
        }
        Err(errors) => {
            tracing::error!("the changed configuration is not taken over, the old one stays in force: {errors:#}");
            return None;
        }
    };
    if settings == *current {
        return None;
    }
    if let Err(error) = running.apply(&settings) {
        tracing::error!(%error, "the changed configuration is not taken over, the old one stays in force");
        return None;
    }
    if settings.gateway != current.gateway
        || settings.auth != current.auth
        || settings.data_dir != current.data_dir
        || settings.log != current.log
    {
        tracing::warn!("changes of `gateway`, `auth`, `data_dir` and `log` take effect when the hub is started again");
    }
    running.wake_unknown();
    tracing::info!(file = %path.display(), servers = settings.servers.len(), "configuration taken over");
    Some(settings)
}
