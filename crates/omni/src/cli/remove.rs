//! `omni remove NAME`: a server taken out of `omni.yaml`, everything else there left as it is.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cli::context::Context;
use crate::cli::own_file::OwnFile;
use crate::cli::say::say;

/// Remove a server from omni.yaml.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The server.
    name: String,
}

impl RemoveArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let mut file = OwnFile::open(context)?;
        file.remove(&self.name)?;
        file.save()?;
        say!("removed {} from {}", self.name, file.path.display());
        Ok(ExitCode::SUCCESS)
    }
}
