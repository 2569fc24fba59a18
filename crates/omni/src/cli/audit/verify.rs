//! `omni audit verify`: whether the log holds what was signed, by the public key alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use omni_audit::{VerifyOptions, verify};
use serde_json::json;

use crate::cli::audit::check_proof::keys;
use crate::cli::audit::log_dir::LogDir;
use crate::cli::context::Context;
use crate::cli::printable::printable;
use crate::cli::say::{say, say_err};

/// Verify the whole log: no record changed, dropped, added, moved or cut off since it was signed. Exits with 1 where one was.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Checkpoints that were kept elsewhere, one after the other; can be given several times.
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
    /// The log's public key (NAME+HASH+KEY), or a file of them. Without it the log's own word is taken for which it is.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogDir,
}

impl VerifyArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let mut options = VerifyOptions::default();
        if let Some(key) = &self.key {
            options.keys = keys(key)?;
        }
        for path in &self.witness {
            let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            options.witnesses.push((path.display().to_string(), text));
        }
        let mut folders = vec![self.log.folder(context)?];
        // A key or a witness is one log's.
        if options.keys.is_empty() && options.witnesses.is_empty() && !self.json {
            folders.extend(self.log.beside(context)?.into_iter().map(|(_, folder)| folder));
        }
        let mut whole = true;
        for folder in &folders {
            if folders.len() > 1 {
                say!("{}", folder.display());
            }
            whole &= self.one(folder, &options)?;
        }
        if self.json {
            return Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        if options.keys.is_empty() {
            say_err!("Its own word was taken for its public key: give the one that you keep elsewhere with --key.");
        }
        if options.witnesses.is_empty() {
            say_err!(
                "Nothing kept elsewhere was looked at: whoever holds this disk and its keys could have written it anew (--witness)."
            );
        }
        Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Verifies one log and tells; whether it is whole.
    fn one(&self, folder: &Path, options: &VerifyOptions) -> Result<bool> {
        let found = verify(folder, options)?;
        let whole = found.is_whole();
        let root = omni_types::hex(&found.root);
        if self.json {
            let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
            say!(
                "{:#}",
                json!({
                    "whole": whole, "records": found.records, "size": found.size, "signed": found.signed, "root": root,
                    "segments": found.segments, "checkpoints": found.checkpoints, "findings": findings,
                    "further_findings": found.more, "notes": found.notes,
                })
            );
            return Ok(whole);
        }
        for finding in &found.findings {
            say!("FAULT  {}", printable(&finding.to_string()));
        }
        if found.more > 0 {
            say!("FAULT  and {} further ones", found.more);
        }
        for note in &found.notes {
            say!("note   {}", printable(note));
        }
        let (records, segments, checkpoints) = (found.records, found.segments, found.checkpoints);
        say!(
            "{records} records in {segments} segments were held against {checkpoints} checkpoints; {} are signed.",
            found.signed
        );
        if whole {
            say!("The log is whole: root {root}.");
        } else {
            say!("The log is NOT as it was signed. Keep it as it is: it is evidence.");
        }
        Ok(whole)
    }
}
