//! `omni schema`: the JSON Schema of `omni.yaml`, or the OpenAPI text of the admin API.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use omni_gateway::admin::openapi_text;

use crate::cli::context::Context;
use crate::cli::say::say;
use crate::config::schema_text;

/// Print the JSON Schema of omni.yaml.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Print the OpenAPI text of the admin API instead.
    #[arg(long)]
    openapi: bool,
}

impl SchemaArgs {
    pub(crate) fn run(self, _context: &Context) -> Result<ExitCode> {
        let text = if self.openapi { openapi_text() } else { schema_text() };
        say!("{}", text.trim_end());
        Ok(ExitCode::SUCCESS)
    }
}
