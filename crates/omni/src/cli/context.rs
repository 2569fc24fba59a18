//! What every command may need: where it runs and which configuration was asked for.

use std::path::PathBuf;

use crate::config::Surroundings;

/// What every command may need.
#[derive(Debug)]
pub(crate) struct Context {
    /// `--config` or `$OMNI_CONFIG`.
    pub(crate) config: Option<PathBuf>,
    /// Folder, home, environment.
    pub(crate) around: Surroundings,
}
