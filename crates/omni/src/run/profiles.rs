//! Profiles as files: put together from the folders that the configuration names, and followed while the hub runs.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_hub::{Hub, Library};
use omni_profiles::remote::{Kept, Lock, Request, missing};
use omni_profiles::settings::ProfilesSettings;
use omni_profiles::{ProfileFault, Scan, Stamp, look};
use tokio::time::Instant;

use crate::run::secrets::Secrets;

/// Between two looks at the folders. They are looked at rather than watched, as the configuration is: that also sees a
/// swapped link and a network mount, and costs one system call a file.
const LOOK: Duration = Duration::from_secs(1);
/// Before what was accepted elsewhere, and could not be fetched, is fetched again.
const FETCH_AGAIN: Duration = Duration::from_secs(60);

/// What is followed, and how it was when it was last looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followed {
    state: Arc<Mutex<State>>,
    kept: Option<Kept>,
}

#[derive(Debug, Default)]
struct State {
    settings: Option<ProfilesSettings>,
    seen: Option<Stamp>,
    faults: Vec<ProfileFault>,
}

/// The profiles of `settings`, for a command.
pub(crate) fn library(settings: &ProfilesSettings, data_dir: Option<&Path>) -> Library {
    look(settings, data_dir.map(Kept::at).as_ref(), None).map_or_else(Library::default, |scan| built(settings, scan))
}

fn built(settings: &ProfilesSettings, scan: Scan) -> Library {
    Library::build(scan.sources, scan.faults, &settings.variables)
}

impl Followed {
    /// Nothing yet; what is fetched is kept in `data_dir`.
    pub(crate) fn new(data_dir: Option<&Path>) -> Self {
        Self { kept: data_dir.map(Kept::at), ..Self::default() }
    }

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
                if let Some(scan) = look(settings, self.kept.as_ref(), None) {
                    state.take(hub, settings, scan);
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks once, and takes over what changed.
    fn look(&self, hub: &Hub) {
        let (settings, seen) = {
            let state = self.lock();
            let Some(settings) = state.settings.clone() else { return };
            (settings, state.seen.clone())
        };
        let Some(scan) = look(&settings, self.kept.as_ref(), seen.as_ref()) else { return };
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
pub(crate) async fn follow(hub: Arc<Hub>, followed: Followed, secrets: Secrets) {
    let mut fetched_at: Option<Instant> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(settings) = followed.lock().settings.clone() else { continue };
        {
            let (hub, followed) = (Arc::clone(&hub), followed.clone());
            // Folders may be slow, and nobody is to wait behind them.
            let looked = tokio::task::spawn_blocking(move || followed.look(&hub)).await;
            if let Err(error) = looked {
                tracing::error!(%error, "the folders of profiles could not be looked at");
            }
        }
        if let Some(kept) = &followed.kept
            && !settings.remote.is_empty()
            && fetched_at.is_none_or(|at| at.elapsed() >= FETCH_AGAIN)
        {
            fetched_at = Some(Instant::now());
            Box::pin(fetch(&settings, kept, &secrets)).await;
        }
    }
}

/// Fetches what somebody accepted on another machine: the commit and the very content that `omni.lock` names.
async fn fetch(settings: &ProfilesSettings, kept: &Kept, secrets: &Secrets) {
    // What is wrong with the file is told where profiles are put together.
    let Ok(lock) = Lock::read(&settings.lock) else { return };
    for (name, source) in &settings.remote {
        let Some(locked) = lock.sources.get(name).filter(|locked| locked.from == source.from) else { continue };
        if locked.files.values().all(|sha256| kept.text(sha256).is_some()) {
            continue;
        }
        let token = match &source.token {
            None => None,
            Some(text) => match secrets.of_source(name, text).await {
                Ok(token) => Some(token),
                Err(error) => {
                    tracing::warn!(source = %name, error, "profiles from elsewhere cannot be fetched: their token cannot be had");
                    continue;
                }
            },
        };
        let token = token.as_ref().map(|token| token.expose());
        match Box::pin(missing(Request { settings, source, token, kept }, locked)).await {
            Ok(files) => tracing::info!(source = %name, files, "profiles that were accepted are fetched"),
            Err(error) => {
                tracing::warn!(source = %name, error, "profiles that were accepted cannot be fetched; it is tried again")
            }
        }
    }
}
