//! Signed checkpoints, sent where who holds this disk cannot reach them.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use omni_audit::append_note;
use omni_audit::query::instant;
use serde_json::json;
use tokio::sync::watch;

use crate::config::WitnessSettings;
use crate::run::audit::post::Post;
use crate::run::audit::sending::{Tries, pause};
use crate::run::audit::shown::Shown;
use crate::run::audit::syslog::{Severity, Syslog};

/// Bytes of a note; more is none.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

enum Witness {
    File(PathBuf),
    Webhook(Post),
    Syslog(Box<Syslog>),
    Hub(Shown),
}

/// Sends each new checkpoint of the log in `directory`, at most one `every` so often, for as long as the hub runs.
pub(super) async fn send(
    directory: PathBuf,
    settings: WitnessSettings,
    every: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let (name, witness) = match settings {
        WitnessSettings::File { path } => (format!("the witness {}", path.display()), Ok(Witness::File(path))),
        WitnessSettings::Webhook { url, authorization } => {
            (format!("the witness {url}"), Post::to(&url, authorization.as_deref()).map(Witness::Webhook))
        }
        WitnessSettings::Syslog { url } => {
            (format!("the witness {url}"), Syslog::at(&url).map(|syslog| Witness::Syslog(Box::new(syslog))))
        }
        WitnessSettings::Hub { url } => (format!("the witness {url}"), Shown::to(&url, &directory).map(Witness::Hub)),
    };
    let mut witness = match witness {
        Ok(witness) => witness,
        Err(why) => {
            tracing::error!("audit: {name} cannot be used: {why}");
            return;
        }
    };
    let (mut tries, mut last, mut stops) = (Tries::default(), None, false);
    loop {
        let note = read(&directory.join("checkpoint")).await;
        let mut wait = every;
        if let Some(note) = note.filter(|note| last.as_ref() != Some(note)) {
            match witness.take(&note).await {
                Ok(()) => {
                    tries.well(&name);
                    last = Some(note);
                }
                Err(why) => wait = tries.failed(&name, &why),
            }
        }
        if stops {
            return;
        }
        // Once more at the end, for the last one.
        stops = pause(wait, &mut stopping).await;
    }
}

async fn read(path: &Path) -> Option<String> {
    let length = tokio::fs::metadata(path).await.ok()?.len();
    if length > NOTE_BYTES_MAX {
        return None;
    }
    tokio::fs::read_to_string(path).await.ok()
}

impl Witness {
    async fn take(&mut self, note: &str) -> Result<(), String> {
        match self {
            Self::File(path) => {
                let (path, note) = (path.clone(), note.to_owned());
                let appended = tokio::task::spawn_blocking(move || append_note(&path, &note)).await;
                appended.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
            }
            Self::Hub(shown) => shown.take(note).await,
            Self::Webhook(post) => post.send("text/plain; charset=utf-8", note.to_owned()).await,
            Self::Syslog(syslog) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
                let time = instant(i64::try_from(now).unwrap_or(i64::MAX));
                let text = json!({ "checkpoint": note }).to_string();
                syslog.send(&[(time, Severity::Informational, "checkpoint".to_owned(), text)]).await
            }
        }
    }
}
