//! Opening the audit log, and what the hub writes with: the lasting log, and lines of the hub's own beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Result, bail};
use omni_audit::{
    Audit, Condition, Durability, Event, EventKind, FieldName, KeyElsewhere, KeyEncryption, LastingLog, LogError,
    LogKey, LogSettings, Outcome, Recording, Sink, VerifierKey, Who, Witness, is_logged,
};
use omni_secrets::Redactor;
use tokio::sync::watch;

use crate::config::{AuditMode, AuditSettings, Settings};
use crate::run::audit::keep;
use crate::run::audit::keys::elsewhere;
use crate::run::audit::senders::{Current, Senders};

/// Processes of one data directory that write a log each: the hub, and `omni stdio` for each client beside it.
pub(crate) const LOGS_MAX: usize = 64;
const DAY_S: u64 = 24 * 60 * 60;

/// The audit log of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditLog {
    lasting: Option<LastingLog>,
    directory: Option<PathBuf>,
    /// The encryption key, where it is kept elsewhere than beside the log.
    key: Option<Arc<dyn KeyEncryption>>,
    /// Whether there is none on purpose.
    is_off: bool,
    /// Why there is no lasting log though one is wanted.
    missing: Option<String>,
    live: Arc<Live>,
}

/// What can be changed while the hub runs.
#[derive(Debug, Default)]
struct Live {
    strict: AtomicBool,
    arguments: AtomicBool,
    also_log: AtomicBool,
    senders: Current,
}

impl Live {
    fn put(&self, settings: &AuditSettings, also_log: bool) {
        self.strict.store(settings.mode == AuditMode::Strict, Relaxed);
        self.arguments.store(settings.arguments, Relaxed);
        self.also_log.store(settings.also_log || also_log, Relaxed);
    }
}

/// Opens the log that `settings` want, in the data directory unless they say otherwise.
///
/// # Errors
/// When nothing may be done without its record (`strict`), and there cannot be one.
pub(crate) fn open(all: &Settings, data_dir: Option<&Path>, redactor: &Arc<Redactor>) -> Result<AuditLog> {
    let settings = &all.audit;
    let mut log = AuditLog { is_off: settings.mode == AuditMode::Off, ..AuditLog::default() };
    log.live.put(settings, log.is_off);
    if settings.mode == AuditMode::Off {
        return Ok(log);
    }
    let folder = settings.path.clone().or_else(|| Some(data_dir?.join("audit")));
    let opened = match (folder, elsewhere(all, data_dir, redactor)) {
        (_, Err(error)) => Err(format!("{error:#}")),
        (Some(folder), Ok(key)) => {
            log.key = key.as_ref().map(|key| Arc::clone(&key.current));
            open_free(settings, &folder, key.as_ref()).map_err(|error| error.to_string())
        }
        (None, Ok(_)) => {
            Err("there is no data directory for it: name one with --data-dir, or set audit.path".to_owned())
        }
    };
    match opened {
        Ok((lasting, directory)) => (log.lasting, log.directory) = (Some(lasting), Some(directory)),
        Err(why) if settings.mode == AuditMode::Strict => {
            bail!("audit.mode is strict, and the audit log cannot be opened: {why}")
        }
        Err(why) => {
            tracing::error!("nothing that happens is on lasting record, because the audit log cannot be opened: {why}");
            log.missing = Some(why);
            log.live.put(settings, true);
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

/// The keys that say something else than when the hub was started, and that it goes by until it is started again.
fn waiting(started: &AuditSettings, now: &AuditSettings) -> Vec<String> {
    let all = [
        ("audit.path", started.path != now.path),
        ("audit.keys", started.keys != now.keys),
        ("audit.queue_records_max", started.queue_records_max != now.queue_records_max),
        ("audit.queue_bytes_max", started.queue_bytes_max != now.queue_bytes_max),
        ("audit.group_ms", started.group_ms != now.group_ms),
        ("audit.segment_bytes_max", started.segment_bytes_max != now.segment_bytes_max),
    ];
    all.into_iter().filter(|(_, waits)| *waits).map(|(name, _)| name.to_owned()).collect()
}

/// A log has one writer: where another process of the same data directory has it, this one writes one of its own beside it.
fn open_free(
    settings: &AuditSettings,
    folder: &Path,
    key: Option<&KeyElsewhere>,
) -> Result<(LastingLog, PathBuf), LogError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut number = 1;
    loop {
        let directory = if number == 1 { folder.to_owned() } else { folder.with_file_name(format!("{name}-{number}")) };
        let log = LogSettings { key_elsewhere: key.cloned(), ..log_settings(settings, &directory) };
        match LastingLog::open(&log) {
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
        if self.is_off { Audit::to_log() } else { Audit::to(self.clone()) }
    }

    /// Sends checkpoints to witnesses and events to receivers, and looks after the log, for as long as the hub runs.
    pub(crate) fn send_on(&self, settings: &AuditSettings, stopping: &watch::Receiver<bool>) {
        let Some(directory) = &self.directory else { return };
        if let Some(lasting) = &self.lasting {
            tokio::spawn(keep::keep(lasting.clone(), (directory.clone(), self.key.clone()), stopping.clone()));
        }
        self.live.senders.set(Senders::begin((directory.as_path(), self.key.clone()), settings, stopping));
    }

    /// Puts into force what can be while the hub runs: to whom it is sent, how long it is kept, what an answer waits for. The keys of
    /// the section that wait for the next start.
    pub(crate) fn apply(&self, started: &AuditSettings, settings: &AuditSettings) -> Vec<String> {
        // A log is neither begun nor ended while calls are on their way.
        let Some(lasting) = self.lasting.as_ref().filter(|_| settings.mode != AuditMode::Off) else {
            return if started == settings { Vec::new() } else { vec!["audit".to_owned()] };
        };
        self.live.put(settings, false);
        lasting.keep_for(Duration::from_secs(settings.retention_days * DAY_S));
        self.live.senders.apply(settings);
        waiting(started, settings)
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
        self.live.strict.load(Relaxed)
    }

    fn keeps_arguments(&self) -> bool {
        self.live.arguments.load(Relaxed) && self.lasting.is_some()
    }

    fn record_durably(&self, who: Who, event: Event) -> Recording {
        self.note(&who, &event);
        match &self.lasting {
            Some(lasting) => lasting.record_durably(who, event),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn rotate_key(&self, which: LogKey) -> Result<Option<String>, String> {
        match &self.lasting {
            Some(lasting) => lasting.rotate_key(which),
            None => Err("this hub has no lasting audit log".to_owned()),
        }
    }

    fn condition(&self) -> Option<Condition> {
        if self.is_off {
            return None;
        }
        let mode = if self.is_strict() { "strict" } else { "fast" };
        let Some(health) = self.lasting.as_ref().map(LastingLog::health) else {
            return Some(Condition { mode, failing: self.missing.clone(), ..Condition::default() });
        };
        let waiting = u64::try_from(health.waiting).unwrap_or(u64::MAX);
        Some(Condition { mode, failing: health.failing, records: health.records, waiting, shed: health.shed })
    }
}

impl AuditLog {
    fn note(&self, who: &Who, event: &Event) {
        if self.live.also_log.load(Relaxed) && is_logged(event.kind, event.outcome) {
            let mut event = event.clone();
            // The lasting log has them sealed; the hub's log is read by more people.
            event.facts.retain(|(name, _)| *name != FieldName::Arguments);
            Audit::to_log().record(who.clone(), event);
        }
    }
}
