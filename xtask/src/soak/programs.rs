//! The programs of a soak, by name.

use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the programs are: copies, so that a build in the meantime changes nothing.
pub(super) const PROGRAMS: &str = "target/soak/bin";

/// A program of the soak's.
pub(super) fn program(name: &str) -> Result<PathBuf> {
    fs::canonicalize(Path::new(PROGRAMS).join(name)).with_context(|| format!("{name} is not built"))
}
