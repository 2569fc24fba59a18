//! Which log is meant.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use omni_audit::{Archive, Search};

use crate::cli::admin::DataDir;
use crate::cli::context::Context;
use crate::cli::say::say_err;
use crate::run;

/// The log's folder in the data directory.
const FOLDER: &str = "audit";

/// Which log is meant: that of the hub with this data directory, or a copy of one.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogDir {
    /// A folder with a log or a copy of one, instead of the configuration's `audit.path`, or `audit` in the data
    /// directory. A process beside the hub writes `audit-2` and so on.
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
    pub(crate) fn beside(&self, context: &Context) -> Result<Vec<PathBuf>> {
        if self.dir.is_some() {
            return Ok(Vec::new());
        }
        let folder = self.folder(context)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = (2..=run::AUDIT_LOGS_MAX).map(|number| folder.with_file_name(format!("{name}-{number}")));
        Ok(beside.filter(|folder| folder.join("log.vkey").exists()).collect())
    }

    /// The log, for whoever may not read its keys too.
    pub(crate) fn archive(&self, context: &Context) -> Result<Archive> {
        let folder = self.folder(context)?;
        Archive::open(&folder).with_context(|| format!("{} has no audit log that can be read", folder.display()))
    }

    /// The log, to read what its events say.
    pub(crate) fn search(&self, context: &Context) -> Result<Search> {
        for folder in self.beside(context)? {
            say_err!("What `omni stdio` and commands did beside the hub: --dir {}", folder.display());
        }
        Ok(Search::new(self.archive(context)?)?)
    }
}

/// Says what could not be read, if anything.
pub(crate) fn tell_damage(search: &Search) {
    match search.damaged() {
        0 => {}
        count => {
            say_err!("{count} records or ends of segments are damaged and left out: `omni audit verify` says where.")
        }
    }
}
