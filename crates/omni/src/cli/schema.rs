//! `omni schema`: the JSON Schema of `omni.yaml`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cli::context::Context;
use crate::cli::say::say;
use crate::config::schema_text;

/// Print the JSON Schema of omni.yaml.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {}

impl SchemaArgs {
    pub(crate) fn run(self, _context: &Context) -> Result<ExitCode> {
        say!("{}", schema_text().trim_end());
        Ok(ExitCode::SUCCESS)
    }
}
