//! What every command may need: where it runs and which configuration was asked for.

use std::path::PathBuf;

use crate::cli::remote::Remote;
use crate::config::{self, Settings, Surroundings};

/// The variable that names the data directory.
const DATA_DIR: &str = "OMNI_DATA_DIR";

/// What every command may need.
#[derive(Debug)]
pub(crate) struct Context {
    /// `--config` or `$OMNI_CONFIG`.
    pub(crate) config: Option<PathBuf>,
    /// The hub elsewhere that is meant instead of this machine's.
    pub(crate) remote: Option<Remote>,
    /// Folder, home, environment.
    pub(crate) around: Surroundings,
}

impl Context {
    /// Where what the hub must remember is kept: where the command line says, else the environment, else the configuration, else
    /// at home. `None` where there is no home.
    pub(crate) fn data_dir(&self, named: Option<PathBuf>, settings: &Settings) -> Option<PathBuf> {
        self.named_data_dir(named).or_else(|| config::data_dir(settings, &self.around))
    }

    /// The same as far as it is known without a configuration.
    pub(crate) fn named_data_dir(&self, named: Option<PathBuf>) -> Option<PathBuf> {
        let set = || self.around.variable(DATA_DIR).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        named.filter(|folder| !folder.as_os_str().is_empty()).or_else(set)
    }
}
