//! `omni profile apply NAME --write`: a profile's text put into a project's CLAUDE.md, between markers, and taken out again.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;

use crate::cli::context::Context;
use crate::cli::profile::load::{find, library};
use crate::cli::profile::marked;
use crate::cli::say::{say, say_err};
use crate::cli::{diff, file};

/// Put a profile's text into a project's CLAUDE.md, between markers. Without `--write` only the difference is shown.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The profile.
    #[arg(required_unless_present = "undo", conflicts_with = "undo")]
    name: Option<String>,
    /// Write the file.
    #[arg(long)]
    write: bool,
    /// Take out again what was put in; what stands around it stays.
    #[arg(long)]
    undo: bool,
    /// The file.
    #[arg(long, value_name = "FILE", default_value = "CLAUDE.md")]
    into: PathBuf,
}

impl ApplyArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let path = context.around.cwd.join(&self.into);
        let path = file::resolve(&path).with_context(|| path.display().to_string())?;
        let before = file::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let text = before.clone().unwrap_or_default();
        let told = |why: String| anyhow!("{}: {why}", path.display());
        let after = match &self.name {
            Some(name) => {
                let profile = find(&library(context)?, name)?;
                if !profile.offer.is_everything() {
                    say_err!(
                        "only the text is written: what the profile narrows holds at /mcp/p/{} alone",
                        profile.name
                    );
                }
                marked::put(&text, (profile.name.as_str(), &profile.hash()), &profile.text).map_err(told)?
            }
            None => match marked::take_out(&text).map_err(told)? {
                Some(after) => after,
                None => bail!("{}: no profile was put in", path.display()),
            },
        };
        let difference = diff::unified(&path, &text, &after);
        if difference.is_empty() {
            say!("{}: nothing to change", path.display());
            return Ok(ExitCode::SUCCESS);
        }
        say!("{}", difference.trim_end());
        if !self.write {
            say_err!("nothing was written: with `--write` it is");
            return Ok(ExitCode::SUCCESS);
        }
        let failed = || format!("{} cannot be written", path.display());
        if after.is_empty() {
            std::fs::remove_file(&path).with_context(failed)?;
            say!("{} held nothing else and is removed", path.display());
        } else {
            file::replace(&path, before.as_deref(), &after).with_context(failed)?;
            say!("{} is written; `omni profile apply --undo --write` takes it out again", path.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}
