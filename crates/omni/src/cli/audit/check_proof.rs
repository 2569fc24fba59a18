//! `omni audit check-proof`: whether a proof holds, without the hub and without its log.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use omni_audit::query::instant;
use omni_audit::{RecordProof, VerifierKey};

use crate::cli::say::say;

/// A proof or a file of keys is small.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Check a proof that `prove` wrote. It needs nothing but the log's public key.
#[derive(Debug, Args)]
pub(crate) struct CheckProofArgs {
    /// The proof.
    file: PathBuf,
    /// The log's public key (NAME+HASH+KEY), or a file with one a line: the log's `log.vkey`, had from elsewhere than the proof.
    #[arg(long, value_name = "KEY")]
    key: String,
}

impl CheckProofArgs {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let text = read(&self.file)?;
        let proof: RecordProof = text.parse()?;
        let keys = keys(&self.key)?;
        match proof.check(&keys) {
            Ok(proven) => {
                say!("proven: record {} is in the log {}", proven.index, proven.origin);
                say!("  written    {}", instant(proven.time_us));
                say!("  log        {} records then, root {}", proven.size, proven.root);
                say!("  signed by  {}", proven.signed_by);
                say!("  record     {} bytes, SHA-256 {}", proven.record_bytes, proven.record_sha256);
                Ok(ExitCode::SUCCESS)
            }
            Err(why) => {
                say!("NOT proven: {why}");
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

/// The keys that a flag names: one, or a file of them.
pub(crate) fn keys(text: &str) -> Result<Vec<VerifierKey>> {
    if let Ok(key) = text.parse() {
        return Ok(vec![key]);
    }
    let path = Path::new(text);
    if !path.exists() {
        bail!("--key: `{text}` is neither a public key (NAME+HASH+KEY) nor a file of them");
    }
    let lines = read(path)?;
    let keys = lines.lines().filter(|line| !line.trim().is_empty()).map(str::parse);
    let keys = keys.collect::<Result<Vec<VerifierKey>, _>>().with_context(|| format!("--key: {text}"))?;
    if keys.is_empty() {
        bail!("--key: {text} has no key in it");
    }
    Ok(keys)
}

fn read(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{} is larger than {FILE_BYTES_MAX} bytes: it is no such file", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
