//! What a log needs now and then: days that were kept long enough are deleted, and closed segments get their index before
//! somebody asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use omni_audit::{Archive, KeyEncryption, LastingLog, LogError, Search};
use tokio::sync::watch;

use crate::run::audit::sending::pause;

/// Between two looks for segments without an index.
const LOOK: Duration = Duration::from_secs(60);
/// Between two looks for days that are due.
const PRUNE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a log lies, and its encryption key where that is kept elsewhere.
type Place = (PathBuf, Option<Arc<dyn KeyEncryption>>);

/// Looks after the log in `directory` for as long as the hub runs.
pub(super) async fn keep(log: LastingLog, (directory, key): Place, mut stopping: watch::Receiver<bool>) {
    let mut pruned: Option<Instant> = None;
    loop {
        let due = pruned.is_none_or(|last| last.elapsed() >= PRUNE_EVERY);
        let (log, directory, key) = (log.clone(), directory.clone(), key.clone());
        let worked = tokio::task::spawn_blocking(move || {
            if due {
                prune(&log);
            }
            if let Err(error) = index(&directory, key) {
                tracing::debug!(%error, "audit: no index is made ahead of the questions");
            }
        })
        .await;
        if let Err(error) = worked {
            tracing::error!(%error, "audit: the log is not looked after any more");
            return;
        }
        pruned = if due { Some(Instant::now()) } else { pruned };
        if pause(LOOK, &mut stopping).await {
            return;
        }
    }
}

fn prune(log: &LastingLog) {
    match log.prune() {
        Ok(done) if done.days.is_empty() => {}
        Ok(done) => {
            let (from, to) = (done.days.first(), done.days.last());
            tracing::info!(records = done.records, ?from, ?to, "audit: days that were kept long enough are deleted");
        }
        Err(error @ LogError::Held(_)) => tracing::info!("audit: nothing is deleted: {error}"),
        Err(error) => tracing::error!(%error, "audit: days that were kept long enough are not deleted"),
    }
}

fn index(directory: &Path, key: Option<Arc<dyn KeyEncryption>>) -> Result<(), LogError> {
    Search::new(Archive::open(directory)?.with_key(key))?.index_closed().map(drop)
}
