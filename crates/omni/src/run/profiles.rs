//! Profiles as files: put together from the folders that the configuration names, and followed while the hub runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_hub::{Hub, Library};
use omni_profiles::settings::ProfilesSettings;
use omni_profiles::{ProfileFault, Scan, Stamp, look};

/// Between two looks at the folders. They are looked at rather than watched, as the configuration is: that also sees a
/// swapped link and a network mount, and costs one system call a file.
const LOOK: Duration = Duration::from_secs(1);

/// What is followed, and how it was when it was last looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followed(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    settings: Option<ProfilesSettings>,
    seen: Option<Stamp>,
    faults: Vec<ProfileFault>,
}

/// The profiles of `settings`, for a command.
pub(crate) fn library(settings: &ProfilesSettings) -> Library {
    look(settings, None).map_or_else(Library::default, |scan| built(settings, scan))
}

fn built(settings: &ProfilesSettings, scan: Scan) -> Library {
    Library::build(scan.sources, scan.faults, &settings.variables)
}

impl Followed {
    /// From now on the profiles of `settings` are in force and followed.
    pub(crate) fn put(&self, hub: &Hub, settings: Option<&ProfilesSettings>) {
        let mut state = self.lock();
        if state.settings.as_ref() == settings {
            return;
        }
        state.settings = settings.cloned();
        state.seen = None;
        match settings {
            None => hub.put_profiles(None),
            Some(settings) => {
                if let Some(scan) = look(settings, None) {
                    state.take(hub, settings, scan);
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks once, and takes over what changed.
    fn look(&self, hub: &Hub) {
        let (settings, seen) = {
            let state = self.lock();
            let Some(settings) = state.settings.clone() else { return };
            (settings, state.seen.clone())
        };
        let Some(scan) = look(&settings, seen.as_ref()) else { return };
        let mut state = self.lock();
        // The configuration may have become another one meanwhile.
        if state.settings.as_ref() == Some(&settings) {
            state.take(hub, &settings, scan);
        }
    }
}

impl State {
    fn take(&mut self, hub: &Hub, settings: &ProfilesSettings, scan: Scan) {
        self.seen = Some(scan.stamp.clone());
        let library = built(settings, scan);
        for fault in library.faults().iter().filter(|fault| !self.faults.contains(fault)) {
            tracing::error!("a profile is left out: {fault}");
        }
        self.faults = library.faults().to_vec();
        tracing::info!(profiles = library.profiles().count(), "profiles taken over");
        hub.put_profiles(Some(Arc::new(library)));
    }
}

/// Follows the folders for as long as the hub runs.
pub(crate) async fn follow(hub: Arc<Hub>, followed: Followed) {
    loop {
        tokio::time::sleep(LOOK).await;
        if followed.lock().settings.is_none() {
            continue;
        }
        let (hub, followed) = (Arc::clone(&hub), followed.clone());
        // Folders may be slow, and nobody is to wait behind them.
        let looked = tokio::task::spawn_blocking(move || followed.look(&hub)).await;
        if let Err(error) = looked {
            tracing::error!(%error, "the folders of profiles could not be looked at");
        }
    }
}
