//! Following the files: a renewed certificate or revocation list is taken over, a bad one leaves the old in force.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::tls::files::{TlsError, load};
use crate::tls::listener::Tls;

/// Between two looks at the files. They are looked at rather than watched: that also sees links that are swapped.
const LOOK: Duration = Duration::from_secs(1);

/// What tells one state of the files from another without reading them.
type Stamp = Vec<Option<(SystemTime, u64)>>;

impl Tls {
    /// Follows the files until the hub stops.
    ///
    /// Certificate and key are two files that change one after the other: a state is read when it has stood still for one
    /// look, and one that does not fit together is tried again with the next change.
    pub(crate) async fn follow(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut loaded = self.stamp();
        let mut before = loaded.clone();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            let now = self.stamp();
            let still = now == before;
            before.clone_from(&now);
            if now == loaded || !still {
                continue;
            }
            loaded = now;
            let settings = self.settings.clone();
            // Reading files may wait.
            match tokio::task::spawn_blocking(move || load(&settings)).await {
                Ok(Ok(loaded)) => {
                    self.current.send_replace(loaded);
                    tracing::info!(
                        section = self.section,
                        "changed files of TLS are taken over; connections go on, but for clients whose certificates were taken back"
                    );
                }
                Ok(Err(error)) => {
                    let error = TlsError { section: self.section, ..error };
                    tracing::error!(%error, "changed files of TLS are not taken over, the old ones stay in force");
                }
                Err(error) => tracing::error!(%error, section = self.section, "changed files of TLS were not read"),
            }
        }
    }

    fn stamp(&self) -> Stamp {
        let of = |path: &Path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        self.settings.paths().into_iter().map(of).collect()
    }
}
