//! Where values are kept: a file a provider, and the one door to all of them.

mod environment;
mod file;
mod local;
mod vault;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fault::Fault;
use crate::held::Held;
use crate::keychain::{Keychain, KeychainFault};
use crate::local::{LocalStore, Stamp, Unlock};
use crate::providers::environment::Environment;
use crate::providers::file::Files;
use crate::providers::vault::Vault;
use crate::redact::Redactor;
use crate::settings::{ProviderName, SecretsSettings};

/// What providers find around them.
#[derive(Clone, Default)]
pub struct Around {
    /// The hub's environment.
    pub variables: HashMap<String, String>,
    /// The hub's data directory, where there is one.
    pub data_dir: Option<PathBuf>,
}

/// The environment holds secrets, so it is not shown.
impl std::fmt::Debug for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Around").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// The providers of one configuration.
#[derive(Debug, Clone)]
pub(crate) enum Provider {
    Env(Arc<Environment>),
    File(Arc<Files>),
    Store(Arc<LocalStore>),
    Vault(Arc<Vault>),
    Keychain(Arc<Keychain>),
}

impl Provider {
    /// The provider of this name; `Err` says what it needs.
    pub(crate) fn build(
        name: ProviderName,
        settings: &SecretsSettings,
        around: &Around,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, String> {
        Ok(match name {
            ProviderName::Env => Self::Env(Arc::new(Environment::new(around.variables.clone()))),
            ProviderName::File => Self::File(Arc::new(Files::new(&settings.folder))),
            ProviderName::Store => {
                let folder: &Path =
                    around.data_dir.as_deref().ok_or("the store needs a data directory, and there is none")?;
                Self::Store(Arc::new(LocalStore::at(folder).unlocked_by(Unlock::of(&around.variables))))
            }
            ProviderName::Keychain => {
                Self::Keychain(Arc::new(Keychain::of(&settings.keychain.service, &around.variables)))
            }
            ProviderName::Vault => {
                let vault = settings
                    .vault
                    .as_ref()
                    .ok_or("`secrets.vault` says nothing: give it at least `url` and `token`")?;
                Self::Vault(Arc::new(Vault::build(vault, Arc::clone(redactor))?))
            }
        })
    }

    /// The value kept under `path`.
    pub(crate) async fn value(&self, path: &str) -> Result<Held, Fault> {
        let path = path.to_owned();
        match self.clone() {
            Self::Env(environment) => environment.value(&path),
            // Disks of other machines can hang: a thread may wait for them, the runtime may not.
            Self::File(files) => beside(move || files.value(&path)).await,
            Self::Store(store) => beside(move || local::value(&store, &path)).await,
            Self::Vault(vault) => vault.value(&path).await,
            Self::Keychain(keychain) => beside(move || asked(&keychain, &path)).await,
        }
    }

    /// What tells whether the value may be another one by now; `None` where only asking tells.
    pub(crate) async fn stamp(&self, path: &str) -> Stamp {
        let path = path.to_owned();
        match self.clone() {
            Self::Env(_) | Self::Vault(_) | Self::Keychain(_) => None,
            Self::File(files) => beside(move || Ok(files.stamp(&path))).await.ok()?,
            Self::Store(store) => beside(move || Ok(store.stamp())).await.ok()?,
        }
    }

    /// The one form of all the ways in which `path` can be written: what is granted under one is granted under each.
    pub(crate) fn normal(&self, path: &str) -> String {
        match self {
            Self::Env(_) => environment::variable_name(path),
            Self::File(files) => files.normal(path),
            Self::Store(_) | Self::Keychain(_) => path.to_owned(),
            Self::Vault(vault) => vault.normal(path),
        }
    }

    /// Gives back what was made for this hub alone.
    pub(crate) async fn close(&self) {
        if let Self::Vault(vault) = self {
            vault.close().await;
        }
    }

    /// Whether it is asked over a network.
    pub(crate) const fn is_remote(&self) -> bool {
        matches!(self, Self::Vault(_))
    }
}

fn asked(keychain: &Keychain, account: &str) -> Result<Held, Fault> {
    keychain.value(account).map_err(|fault| match fault {
        KeychainFault::Missing => Fault::Missing(format!("{} holds no `{account}`", keychain.name())),
        KeychainFault::Refused(why) => Fault::Unreachable(format!("({}) {why}", keychain.name())),
    })
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Fault::Unreachable("stopped: the hub ends".to_owned())),
    }
}
