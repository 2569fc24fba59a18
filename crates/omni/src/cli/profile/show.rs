//! `omni profile show NAME`: one profile as it is applied, with every hidden character in sight.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use omni_screen::dangerous;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::printable::printable;
use crate::cli::profile::load::{find, library};
use crate::cli::profile::visible::visible;
use crate::cli::say::{say, say_err};

/// Show one profile as it is applied: bases laid under it, variables put in, hidden characters in sight.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The profile.
    name: String,
    /// Print a JSON object for programs, with the text as it is.
    #[arg(long)]
    json: bool,
}

impl ShowArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let profile = find(&library(context)?, &self.name)?;
        let bases: Vec<&str> = profile.bases.iter().map(|base| base.as_str()).collect();
        let narrows = profile.offer.to_json();
        let hidden = dangerous(&profile.text);
        if self.json {
            say!(
                "{:#}",
                json!({
                    "name": profile.name.as_str(), "description": profile.description, "file": profile.file,
                    "bases": bases, "sha256": profile.hash(), "narrows": narrows,
                    "hidden_characters": hidden.len(), "text": profile.text,
                })
            );
            return Ok(ExitCode::SUCCESS);
        }
        say!("name:     {}", profile.name);
        if let Some(description) = &profile.description {
            say!("says:     {}", printable(description));
        }
        say!("file:     {}", printable(&profile.file.display().to_string()));
        if !bases.is_empty() {
            say!("builds on {}", bases.join(", "));
        }
        say!("sha256:   {}", profile.hash());
        if !profile.offer.is_everything() {
            say!("narrows:  {}", printable(&narrows.to_string()));
        }
        say!("\n{}", visible(&profile.text));
        if !hidden.is_empty() {
            say_err!(
                "{} hidden or dangerous characters, shown as \\u{{…}}: a client is told the text without them",
                hidden.len()
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
