//! Events, sent to a receiver such as a SIEM: each has a task and a place in the log of its own, and costs no other anything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use omni_audit::export::json;
use omni_audit::{FieldName, KeyEncryption, Seen};
use tokio::sync::watch;

use crate::config::ForwardSettings;
use crate::run::audit::otlp;
use crate::run::audit::post::Post;
use crate::run::audit::sending::{Tries, pause};
use crate::run::audit::spool::Spool;
use crate::run::audit::syslog::{Severity, Syslog};

/// Between two looks for what is new.
const LOOK: Duration = Duration::from_secs(1);

enum Receiver {
    Otlp(Post),
    Lines(Post),
    Syslog(Box<Syslog>),
}

/// Sends what is recorded in `directory`, for as long as the hub runs.
pub(super) async fn send(
    (directory, key): (PathBuf, Option<Arc<dyn KeyEncryption>>),
    settings: ForwardSettings,
    mut stopping: watch::Receiver<bool>,
) {
    let name = format!("the receiver `{}`", settings.name());
    let mut spool = Spool::of(&directory, settings.name()).with_key(key);
    let receiver = match &settings {
        ForwardSettings::Otlp { url, authorization, .. } => Post::to(url, authorization.as_deref()).map(Receiver::Otlp),
        ForwardSettings::Lines { url, authorization, .. } => {
            Post::to(url, authorization.as_deref()).map(Receiver::Lines)
        }
        ForwardSettings::Syslog { url, .. } => Syslog::at(url).map(|syslog| Receiver::Syslog(Box::new(syslog))),
    };
    let mut receiver = match receiver {
        Ok(receiver) => receiver,
        Err(why) => {
            tracing::error!("audit: {name} cannot be used: {why}");
            return;
        }
    };
    let mut tries = Tries::default();
    loop {
        let (back, batch) = match tokio::task::spawn_blocking(move || {
            let batch = spool.batch();
            (spool, batch)
        })
        .await
        {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "audit: {name} is sent nothing any more");
                return;
            }
        };
        spool = back;
        let wait = match batch {
            Ok(records) if records.is_empty() => LOOK,
            Ok(records) => match receiver.take(&records).await {
                Ok(()) => {
                    tries.well(&name);
                    let next = records.last().map_or(0, |record| record.index + 1);
                    match spool.acknowledge(next) {
                        Ok(()) => Duration::ZERO,
                        Err(error) => tries.failed(&name, &format!("its place cannot be kept: {error}")),
                    }
                }
                Err(why) => {
                    spool.forget();
                    tries.failed(&name, &why)
                }
            },
            Err(error) => {
                spool.forget();
                tries.failed(&name, &error.to_string())
            }
        };
        if pause(wait, &mut stopping).await {
            return;
        }
    }
}

impl Receiver {
    async fn take(&mut self, records: &[Seen]) -> Result<(), String> {
        match self {
            Self::Otlp(post) => post.send("application/json", otlp::request(records)).await,
            Self::Lines(post) => {
                let line = |record| json(record).to_string() + "\n";
                post.send("application/x-ndjson", records.iter().map(line).collect::<String>()).await
            }
            Self::Syslog(syslog) => {
                let messages: Vec<_> = records.iter().map(message).collect();
                syslog.send(&messages).await
            }
        }
    }
}

fn message(record: &Seen) -> (String, Severity, String, String) {
    let object = json(record);
    let time = object["time"].as_str().unwrap_or("-").to_owned();
    let went_well = matches!(record.text(FieldName::Outcome.as_str()), Some("success" | "pending") | None);
    let severity = if went_well { Severity::Informational } else { Severity::Warning };
    let kind = record.text(FieldName::Kind.as_str()).unwrap_or("-").to_owned();
    (time, severity, kind, object.to_string())
}
