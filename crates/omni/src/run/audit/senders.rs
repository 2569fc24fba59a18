//! The tasks that send checkpoints and events on: begun with the hub, and begun anew where the configuration names other receivers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_audit::KeyEncryption;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{AuditSettings, ForwardSettings, WitnessSettings};
use crate::run::audit::{forward, witness};

/// The encryption key, where it is kept elsewhere than beside the log.
type Key = Option<Arc<dyn KeyEncryption>>;
/// To whom it is sent, and how often.
type Wanted = (Vec<WitnessSettings>, u64, Vec<ForwardSettings>);

/// Those of one hub.
#[derive(Debug, Clone)]
pub(super) struct Senders(watch::Sender<Wanted>);

impl Senders {
    /// Begins them for the log in `directory`, for as long as the hub runs.
    pub(super) fn begin(
        (directory, key): (&Path, Key),
        settings: &AuditSettings,
        stopping: &watch::Receiver<bool>,
    ) -> Self {
        let (wanted, wants) = watch::channel(of(settings));
        tokio::spawn(keep((directory.to_owned(), key), wants, stopping.clone()));
        Self(wanted)
    }

    /// Sends to those of `settings` from now on. Those that are the same go on where they are; each is asked first to end.
    pub(super) fn apply(&self, settings: &AuditSettings) {
        self.0.send_if_modified(|wanted| {
            let next = of(settings);
            let is_other = *wanted != next;
            *wanted = next;
            is_other
        });
    }
}

fn of(settings: &AuditSettings) -> Wanted {
    (settings.witnesses.clone(), settings.witness_every_s, settings.forward.clone())
}

/// One set of tasks after the other: a receiver's place in the log is moved by one task at a time.
async fn keep(
    (directory, key): (PathBuf, Key),
    mut wants: watch::Receiver<Wanted>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let (witnesses, every_s, receivers) = wants.borrow_and_update().clone();
        let (end, ending) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for one in witnesses {
            let every = Duration::from_secs(every_s);
            tasks.spawn(witness::send(directory.clone(), one, every, ending.clone()));
        }
        for one in receivers {
            tasks.spawn(forward::send((directory.clone(), key.clone()), one, ending.clone()));
        }
        let goes_on = tokio::select! {
            changed = wants.changed() => changed.is_ok(),
            () = async { drop(stopping.wait_for(|stop| *stop).await) } => false,
        };
        end.send_replace(true);
        while tasks.join_next().await.is_some() {}
        if !goes_on {
            return;
        }
    }
}

/// What can be changed while the hub runs, as it is now.
#[derive(Debug, Default)]
pub(super) struct Current(Mutex<Option<Senders>>);

impl Current {
    pub(super) fn set(&self, senders: Senders) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(senders);
    }

    pub(super) fn apply(&self, settings: &AuditSettings) {
        if let Some(senders) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            senders.apply(settings);
        }
    }
}
