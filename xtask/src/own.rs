//! Where this program is.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// This program's file. A build of the whole workspace puts a new one in its place while it runs, and the system then calls the
/// old one deleted: what took its place is the same program.
pub(crate) fn program() -> Result<PathBuf> {
    let this = std::env::current_exe().context("this program is not to be found")?;
    Ok(match this.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(replaced) => PathBuf::from(replaced),
        None => this,
    })
}
