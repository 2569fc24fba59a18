//! Opening the audit log, and what the hub writes with: the lasting log, and lines of the hub's own beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use omni_audit::{
    Audit, Condition, Durability, Event, EventKind, FieldName, LastingLog, LogError, LogSettings, Outcome, Recording,
    Sink, VerifierKey, Who, Witness, is_logged,
};
use tokio::sync::watch;

use crate::config::{AuditMode, AuditSettings};
use crate::run::audit::{forward, keep, witness as witnesses};

/// Processes of one data directory that write a log each: the hub, and `omni stdio` for each client beside it.
pub(crate) const LOGS_MAX: usize = 64;
const DAY_S: u64 = 24 * 60 * 60;

/// The audit log of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditLog {
    lasting: Option<LastingLog>,
    directory: Option<PathBuf>,
    mode: AuditMode,
    /// Why there is no lasting log though one is wanted.
    missing: Option<String>,
    arguments: bool,
    also_log: bool,
}

/// Opens the log that `settings` want, in the data directory unless they say otherwise.
///
/// # Errors
/// When nothing may be done without its record (`strict`), and there cannot be one.
pub(crate) fn open(settings: &AuditSettings, data_dir: Option<&Path>) -> Result<AuditLog> {
    let mut log = AuditLog {
        mode: settings.mode,
        arguments: settings.arguments,
        also_log: settings.also_log || settings.mode == AuditMode::Off,
        ..AuditLog::default()
    };
    if settings.mode == AuditMode::Off {
        return Ok(log);
    }
    let opened = match settings.path.clone().or_else(|| Some(data_dir?.join("audit"))) {
        Some(folder) => open_free(settings, &folder).map_err(|error| error.to_string()),
        None => Err("there is no data directory for it: name one with --data-dir, or set audit.path".to_owned()),
    };
    match opened {
        Ok((lasting, directory)) => (log.lasting, log.directory) = (Some(lasting), Some(directory)),
        Err(why) if settings.mode == AuditMode::Strict => {
            bail!("audit.mode is strict, and the audit log cannot be opened: {why}")
        }
        Err(why) => {
            tracing::error!("nothing that happens is on lasting record, because the audit log cannot be opened: {why}");
            (log.missing, log.also_log) = (Some(why), true);
        }
    }
    Ok(log)
}

/// The witness of other hubs' logs that `settings` want, where they want one.
///
/// # Errors
/// When it has nowhere to keep what it sees.
pub(crate) fn witness(settings: &AuditSettings, data_dir: Option<&Path>) -> Result<Option<Arc<Witness>>> {
    if settings.witness_of.is_empty() {
        return Ok(None);
    }
    let Some(data_dir) = data_dir else { bail!("audit.witness_of: there is no data directory to keep checkpoints in") };
    let logs = settings.witness_of.iter().map(|key| key.parse::<VerifierKey>()).collect::<Result<Vec<_>, _>>()?;
    let witness = Witness::open(&data_dir.join("witness"), logs)?;
    tracing::info!(
        logs = settings.witness_of.len(),
        key = witness.public(),
        "this hub is a witness of other hubs' audit logs"
    );
    Ok(Some(Arc::new(witness)))
}

/// A log has one writer: where another process of the same data directory has it, this one writes one of its own beside it.
fn open_free(settings: &AuditSettings, folder: &Path) -> Result<(LastingLog, PathBuf), LogError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut number = 1;
    loop {
        let directory = if number == 1 { folder.to_owned() } else { folder.with_file_name(format!("{name}-{number}")) };
        match LastingLog::open(&log_settings(settings, &directory)) {
            Ok((log, notices)) => {
                for notice in notices {
                    tracing::warn!(directory = %directory.display(), "audit log: {notice}");
                }
                return Ok((log, directory));
            }
            Err(LogError::Locked(_)) if number < LOGS_MAX => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn log_settings(settings: &AuditSettings, directory: &Path) -> LogSettings {
    LogSettings {
        durability: if settings.mode == AuditMode::Strict { Durability::Strict } else { Durability::Fast },
        queue_records_max: settings.queue_records_max,
        queue_bytes_max: settings.queue_bytes_max,
        group: Duration::from_millis(settings.group_ms),
        segment_bytes_max: settings.segment_bytes_max,
        retention: Duration::from_secs(settings.retention_days * DAY_S),
        ..LogSettings::new(directory)
    }
}

impl AuditLog {
    /// What the hub writes with.
    pub(crate) fn audit(&self) -> Audit {
        if self.mode == AuditMode::Off { Audit::to_log() } else { Audit::to(self.clone()) }
    }

    /// Sends checkpoints to witnesses and events to receivers, and looks after the log, for as long as the hub runs.
    pub(crate) fn send_on(&self, settings: &AuditSettings, stopping: &watch::Receiver<bool>) {
        let Some(directory) = &self.directory else { return };
        if let Some(lasting) = &self.lasting {
            tokio::spawn(keep::keep(lasting.clone(), directory.clone(), stopping.clone()));
        }
        let every = Duration::from_secs(settings.witness_every_s);
        for one in &settings.witnesses {
            tokio::spawn(witnesses::send(directory.clone(), one.clone(), every, stopping.clone()));
        }
        for one in &settings.forward {
            tokio::spawn(forward::send(directory.clone(), one.clone(), stopping.clone()));
        }
    }

    /// Writes what waits and ends. What is recorded after that is not kept.
    pub(crate) fn close(&self) {
        if let Some(lasting) = &self.lasting {
            lasting.close();
        }
    }
}

impl Sink for AuditLog {
    fn record(&self, who: Who, event: Event) {
        self.note(&who, &event);
        if let Some(lasting) = &self.lasting {
            lasting.record(who, event);
        }
    }

    fn keeps(&self, kind: EventKind, outcome: Outcome) -> bool {
        self.lasting.is_some() || is_logged(kind, outcome)
    }

    fn is_strict(&self) -> bool {
        self.mode == AuditMode::Strict
    }

    fn keeps_arguments(&self) -> bool {
        self.arguments && self.lasting.is_some()
    }

    fn record_durably(&self, who: Who, event: Event) -> Recording {
        self.note(&who, &event);
        match &self.lasting {
            Some(lasting) => lasting.record_durably(who, event),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn condition(&self) -> Option<Condition> {
        let mode = match self.mode {
            AuditMode::Fast => "fast",
            AuditMode::Strict => "strict",
            AuditMode::Off => return None,
        };
        let Some(health) = self.lasting.as_ref().map(LastingLog::health) else {
            return Some(Condition { mode, failing: self.missing.clone(), ..Condition::default() });
        };
        let waiting = u64::try_from(health.waiting).unwrap_or(u64::MAX);
        Some(Condition { mode, failing: health.failing, records: health.records, waiting, shed: health.shed })
    }
}

impl AuditLog {
    fn note(&self, who: &Who, event: &Event) {
        if self.also_log && is_logged(event.kind, event.outcome) {
            let mut event = event.clone();
            // The lasting log has them sealed; the hub's log is read by more people.
            event.facts.retain(|(name, _)| *name != FieldName::Arguments);
            Audit::to_log().record(who.clone(), event);
        }
    }
}
