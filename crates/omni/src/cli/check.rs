//! `omni check [FILE]`: the configuration looked through, every fault with file, line and a caret under the text.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::say::{say, say_err};
use crate::config::{self, Config, ConfigErrors, FILE_NAME, Problem};

/// Check the configuration.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The file; without it the one that `omni` would use.
    file: Option<PathBuf>,
    /// Print a JSON object for programs.
    #[arg(long)]
    json: bool,
}

impl CheckArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let explicit = self.file.as_deref().or(context.config.as_deref());
        let Some(path) = config::discover(explicit, &context.around) else {
            let message = format!("no {FILE_NAME} in this directory or your configuration directory");
            if self.json {
                say!("{:#}", json!({ "ok": false, "file": null, "errors": [{ "message": message }], "warnings": [] }));
            } else {
                say_err!("{message}: name a file, or make one with `omni add` or `omni import`");
            }
            return Ok(ExitCode::FAILURE);
        };
        let checked = config::load(&path, &context.around);
        if self.json {
            let (errors, warnings): (&[Problem], &[Problem]) = match &checked {
                Ok(config) => (&[], &config.warnings.problems),
                Err(errors) => (&errors.problems, &[]),
            };
            say!("{:#}", json!({ "ok": checked.is_ok(), "file": path, "errors": errors, "warnings": warnings }));
        } else {
            match &checked {
                Ok(config) => show(config, context),
                Err(errors) => show_errors(errors),
            }
        }
        Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn show(config: &Config, context: &Context) {
    if !config.warnings.problems.is_empty() {
        say_err!("{}", config.warnings);
    }
    let servers = &config.settings.servers;
    let disabled = servers.values().filter(|server| server.disabled).count();
    let count = match (servers.len(), disabled) {
        (1, 0) => "1 server".to_owned(),
        (all, 0) => format!("{all} servers"),
        (all, disabled) => format!("{all} servers, {disabled} of them disabled"),
    };
    say!("{}: right, {count}", config.origin.display());
    if let Some(data_dir) = context.data_dir(None, &config.settings) {
        say!("listens on {}, keeps its data in {}", config.settings.gateway.listen, data_dir.display());
    }
}

fn show_errors(errors: &ConfigErrors) {
    say_err!("{errors}");
    let count = errors.problems.len();
    say_err!("{count} {} to mend", if count == 1 { "thing" } else { "things" });
}
