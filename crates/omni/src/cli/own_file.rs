//! Our own `omni.yaml`, opened to be edited and written back.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::cli::context::Context;
use crate::cli::file;
use crate::config::edit::{self, EditFault};
use crate::config::{self, FILE_NAME, ServerSettings};

/// Largest text written; larger ones would not be read again.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What a new file begins with.
const NEW_FILE: &str = "# Configuration of Omni MCP Hub. `omni check` checks it, `omni schema` describes it.\n";

/// The file, as it is and as it will be.
#[derive(Debug)]
pub(crate) struct OwnFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    before: Option<String>,
    /// Its text with the changes made so far.
    pub(crate) text: String,
    /// Entries that could not be put in safely, for a person to do it: name, entry, text.
    by_hand: Vec<(String, serde_json::Value, String)>,
}

impl OwnFile {
    /// The file that `omni` would use, or a new one in this directory.
    pub(crate) fn open(context: &Context) -> Result<Self> {
        let found = config::discover(context.config.as_deref(), &context.around);
        let path = found.unwrap_or_else(|| context.around.cwd.join(FILE_NAME));
        let before = file::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let text = before.clone().unwrap_or_else(|| NEW_FILE.to_owned());
        Ok(Self { path, before, text, by_hand: Vec::new() })
    }

    /// Whether it is made anew.
    pub(crate) fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// The servers as they are written, variables not put in.
    pub(crate) fn servers(&self) -> Result<Vec<(String, serde_json::Value)>> {
        let mut servers = edit::servers(&self.text).or_else(|fault| self.refuse(fault, ""))?;
        servers.extend(self.by_hand.iter().map(|(name, entry, _)| (name.clone(), entry.clone())));
        Ok(servers)
    }

    /// Puts a server in, or keeps it for [`Self::by_hand`] where the text cannot be edited safely; whether it is in.
    pub(crate) fn add_or_keep(&mut self, name: &str, server: &ServerSettings) -> Result<bool> {
        match edit::add(&self.text, name, server, false) {
            Ok(text) => self.text = text,
            Err(EditFault::ByHand(Some(text))) => {
                self.by_hand.push((name.to_owned(), serde_json::to_value(server)?, text));
                return Ok(false);
            }
            Err(fault) => return self.refuse(fault, name),
        }
        Ok(true)
    }

    /// What a person has to put in by hand; empty when all is in.
    pub(crate) fn by_hand(&self) -> String {
        let entries = self.by_hand.iter().map(|(_, _, text)| text.trim_start_matches("servers:\n"));
        entries.collect::<String>()
    }

    /// Puts a server in.
    pub(crate) fn add(&mut self, name: &str, server: &ServerSettings, replace: bool) -> Result<()> {
        self.text = edit::add(&self.text, name, server, replace).or_else(|fault| self.refuse(fault, name))?;
        Ok(())
    }

    /// Takes a server out.
    pub(crate) fn remove(&mut self, name: &str) -> Result<()> {
        self.text = edit::remove(&self.text, name).or_else(|fault| self.refuse(fault, name))?;
        Ok(())
    }

    /// Writes it in one step.
    pub(crate) fn save(&self) -> Result<()> {
        if self.text.len() > TEXT_BYTES_MAX {
            bail!("{} would be larger than {TEXT_BYTES_MAX} bytes: nothing was written", self.path.display());
        }
        let written = file::replace(&self.path, self.before.as_deref(), &self.text);
        written.with_context(|| format!("{} cannot be written", self.path.display()))
    }

    fn refuse<T>(&self, fault: EditFault, name: &str) -> Result<T> {
        let path = self.path.display();
        match fault {
            EditFault::Taken => {
                bail!("{path} has a server `{name}` already: choose another name, or replace it with --force")
            }
            EditFault::Missing => {
                let names = edit::servers(&self.text).unwrap_or_default();
                let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
                match names.as_slice() {
                    [] => bail!("{path} has no server `{name}`; it has none at all"),
                    names => bail!("{path} has no server `{name}`; it has {}", names.join(", ")),
                }
            }
            EditFault::Unreadable(message) => bail!("{path}: {message}\nmend this first; `omni check` shows the place"),
            EditFault::ByHand(Some(entry)) => {
                bail!("{path} is written in a way that cannot be edited without risk: put this in by hand\n\n{entry}")
            }
            EditFault::ByHand(None) => {
                bail!(
                    "{path} is written in a way that cannot be edited without risk: take out `servers.{name}` by hand"
                )
            }
        }
    }
}
