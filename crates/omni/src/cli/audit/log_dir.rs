//! Which log is meant.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use omni_audit::{Archive, KeyElsewhere, Search};

use crate::cli::admin::DataDir;
use crate::cli::audit::logs::Logs;
use crate::cli::context::Context;
use crate::cli::say::say_err;
use crate::run;

/// The log's folder in the data directory.
const FOLDER: &str = "audit";

/// Which log is meant: that of the hub with this data directory, or a copy of one.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogDir {
    /// A folder with a log or a copy of one, instead of the configuration's `audit.path`, or `audit` in the data
    /// directory. A process beside the hub writes `audit-2` and so on, which are read with it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    at: DataDir,
}

impl LogDir {
    /// The folder.
    pub(crate) fn folder(&self, context: &Context) -> Result<PathBuf> {
        if let Some(folder) = &self.dir {
            return Ok(folder.clone());
        }
        // Where the hub of this configuration writes it.
        match run::configuration(context)?.0.audit.path {
            Some(folder) => Ok(folder),
            None => Ok(self.at.folder(context)?.join(FOLDER)),
        }
    }

    /// Logs beside that one: of `omni stdio` and commands that ran while a hub wrote it. None where a folder was named.
    pub(crate) fn beside(&self, context: &Context) -> Result<Vec<(u8, PathBuf)>> {
        if self.dir.is_some() {
            return Ok(Vec::new());
        }
        let folder = self.folder(context)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let most = u8::try_from(run::AUDIT_LOGS_MAX).unwrap_or(u8::MAX);
        let beside = (2..=most).map(|number| (number, folder.with_file_name(format!("{name}-{number}"))));
        Ok(beside.filter(|(_, folder)| folder.join("log.vkey").exists()).collect())
    }

    /// The log, for whoever may not read its keys too.
    pub(crate) fn archive(&self, context: &Context) -> Result<Archive> {
        let folder = self.folder(context)?;
        let archive = Archive::open(&folder);
        archive.with_context(|| format!("{} has no audit log that can be read", folder.display()))
    }

    /// The log that an id names, to prove something of it.
    pub(crate) fn archive_of(&self, context: &Context, id: EventId) -> Result<Archive> {
        if id.log == 1 {
            return self.archive(context);
        }
        let Some((_, folder)) = self.beside(context)?.into_iter().find(|(number, _)| *number == id.log) else {
            bail!("no process beside the hub wrote a log of number {}", id.log);
        };
        Archive::open(&folder).with_context(|| format!("{} has no audit log that can be read", folder.display()))
    }

    /// The data directory whose hub may write the log; none where a folder was named.
    pub(crate) const fn of_hub(&self) -> Option<&DataDir> {
        if self.dir.is_none() { Some(&self.at) } else { None }
    }

    /// The encryption key, where the configuration says that it is kept elsewhere than beside the log.
    pub(crate) fn key(&self, context: &Context) -> Result<Option<KeyElsewhere>> {
        let settings = match run::configuration(context) {
            Ok((settings, _)) => settings,
            // A copy of a log is read where there is no configuration, or another one.
            Err(_) if self.dir.is_some() => return Ok(None),
            Err(error) => return Err(error),
        };
        if settings.audit.keys.is_none() {
            return Ok(None);
        }
        // A store of the hub's own lies in its data directory.
        let data_dir = self.at.folder(context).ok();
        run::audit_key(&settings, data_dir.as_deref(), &Arc::default())
    }

    /// The log and those beside it, to read what their events say.
    pub(crate) fn logs(&self, context: &Context) -> Result<Logs> {
        let key = self.key(context)?.map(|key| key.current);
        let mut logs = vec![(1, Search::new(self.archive(context)?.with_key(key.clone()))?)];
        for (number, folder) in self.beside(context)? {
            match Archive::open(&folder).and_then(|archive| Search::new(archive.with_key(key.clone()))) {
                Ok(search) => logs.push((number, search)),
                Err(error) => say_err!("What a process beside the hub did is left out: {error}"),
            }
        }
        Ok(Logs::of(logs))
    }
}

/// An event, as people name it: `17` in the hub's log, `2:17` in that of a process beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(crate) log: u8,
    pub(crate) index: u64,
}

impl FromStr for EventId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (log, index) = text.split_once(':').unwrap_or(("1", text));
        match (log.parse(), index.parse()) {
            (Ok(log), Ok(index)) if log > 0 => Ok(Self { log, index }),
            _ => Err(format!("`{text}` is no id: write it as `query` shows it, `17` or `2:17`")),
        }
    }
}

/// Says what could not be read, if anything.
pub(crate) fn tell_damage(logs: &Logs) {
    let count: u64 = logs.each().map(|(_, search)| search.damaged()).sum();
    if count > 0 {
        say_err!("{count} records or ends of segments are damaged and left out: `omni audit verify` says where.");
    }
}
