//! `omni profile list`: every profile, and what is wrong with those that are left out.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::printable::printable;
use crate::cli::profile::load::library;
use crate::cli::say::{say, say_err};
use crate::cli::table::table;

/// Characters of a digest that a table shows.
const HASH_CHARS: usize = 12;

/// List the profiles.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Print a JSON object for programs.
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let library = library(context)?;
        if self.json {
            let profiles: Vec<_> = library
                .profiles()
                .map(|profile| {
                    json!({
                        "name": profile.name.as_str(), "description": profile.description, "file": profile.file,
                        "sha256": profile.hash(), "narrows": profile.offer.to_json(),
                    })
                })
                .collect();
            let faults: Vec<String> = library.faults().iter().map(ToString::to_string).collect();
            say!("{:#}", json!({ "profiles": profiles, "faults": faults }));
        } else {
            let mut rows = table(&["NAME", "SHA-256", "NARROWS", "FILE", "DESCRIPTION"]);
            for profile in library.profiles() {
                rows.add_row([
                    profile.name.to_string(),
                    profile.hash().chars().take(HASH_CHARS).collect(),
                    if profile.offer.is_everything() { "nothing" } else { "yes" }.to_owned(),
                    printable(&profile.file.display().to_string()),
                    printable(profile.description.as_deref().unwrap_or_default()),
                ]);
            }
            say!("{rows}");
            for fault in library.faults() {
                say_err!("left out: {}", printable(&fault.to_string()));
            }
        }
        Ok(if library.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
