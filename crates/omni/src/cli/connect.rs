//! `omni connect CLIENT`: the hub's entry put into a client's own settings, shown first, backed up, and taken back by `--undo`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use crate::cli::connect::change::Change;
use crate::cli::connect::client::{Client, Scope};
use crate::cli::context::Context;
use crate::cli::say::{say, say_err};
use crate::config;

mod backup;
mod change;
mod claude;
mod claude_desktop;
mod client;
mod cursor;
#[cfg(test)]
mod tests;
mod vscode;
mod windsurf;

/// The clients that can be connected.
const CLIENTS: [&Client; 5] =
    [&claude::CLIENT, &claude_desktop::CLIENT, &cursor::CLIENT, &vscode::CLIENT, &windsurf::CLIENT];

/// Put the hub into a client's settings: shown first, backed up, undone by --undo.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The client.
    #[arg(value_parser = PossibleValuesParser::new(CLIENTS.map(|client| client.name)))]
    client: String,
    /// The hub's address; by default that of `gateway.listen`.
    #[arg(long, conflicts_with = "stdio")]
    url: Option<String>,
    /// What the hub is to be called there.
    #[arg(long, default_value = "omni")]
    name: String,
    /// Let the client start `omni stdio` instead of calling a running hub.
    #[arg(long)]
    stdio: bool,
    /// For you everywhere, or for everyone in this directory.
    #[arg(long, value_enum, default_value = "user")]
    scope: Scope,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take the hub out again.
    #[arg(long, conflicts_with_all = ["url", "stdio"])]
    undo: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    yes: bool,
}

impl ConnectArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let client = CLIENTS.into_iter().find(|client| client.name == self.client).context("no such client")?;
        let change = self.plan(client, context)?;
        if let Some(remark) = &change.remark {
            say_err!("{remark}");
        }
        if change.is_empty() {
            let state = if self.undo { "is not connected: nothing to undo" } else { "is connected already" };
            say!("{} {state} ({})", client.title, change.path.display());
            return Ok(ExitCode::SUCCESS);
        }
        say!("{}", change.preview().trim_end());
        if self.dry_run {
            say_err!("nothing was written (--dry-run)");
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes && !agreed()? {
            say_err!("nothing was written");
            return Ok(ExitCode::FAILURE);
        }
        let backup = change.carry_out((!self.undo).then(SystemTime::now))?;
        self.tell(client, &change, backup.as_deref());
        Ok(ExitCode::SUCCESS)
    }

    fn plan(&self, client: &Client, context: &Context) -> Result<Change> {
        let Some(path) = (client.file)(self.scope, &context.around) else {
            bail!("{} has no settings file for this scope here: try the other `--scope`", client.title);
        };
        let member = [client.container, self.name.as_str()];
        if self.undo {
            change::undo(path, &member)
        } else {
            change::connect(path, &member, &self.entry(client, context)?)
        }
    }

    fn entry(&self, client: &Client, context: &Context) -> Result<Value> {
        let found = config::discover(context.config.as_deref(), &context.around);
        match client.http {
            Some(http) if !self.stdio => {
                let listen = found.and_then(|path| config::load(&path, &context.around).ok());
                let listen = listen.map_or_else(
                    || config::Settings::default().gateway.listen,
                    |config| config.settings.gateway.listen,
                );
                let url = self.url.clone().unwrap_or_else(|| format!("http://{listen}/mcp"));
                if !url.starts_with("http://") && !url.starts_with("https://") {
                    bail!("--url starts with http:// or https://");
                }
                Ok(http(&url))
            }
            None if self.url.is_some() => {
                bail!("{}'s file knows no addresses, only programs: leave --url away", client.title)
            }
            _ => {
                let mut args = vec!["stdio".to_owned()];
                // The client starts the hub in a directory of its own, so the file is named.
                if let Some(path) = found {
                    args.extend(["--config".to_owned(), path.to_string_lossy().into_owned()]);
                }
                Ok((client.stdio)(&context.around.program.to_string_lossy(), &args))
            }
        }
    }

    fn tell(&self, client: &Client, change: &Change, backup: Option<&std::path::Path>) {
        let done = if self.undo { "undone" } else { "connected" };
        say!("{} {done}: {}", client.title, change.path.display());
        if let Some(backup) = backup.filter(|_| change.before.is_some()) {
            say!("the old file is kept as {}", backup.display());
        }
        if !self.undo {
            say!("{}; `omni connect {} --undo` takes it back", client.afterwards, client.name);
        }
    }
}

/// Asks at the terminal; without one nobody can agree.
fn agreed() -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("nobody can be asked here, so nothing was written: run it again with --yes");
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "Write this? [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
