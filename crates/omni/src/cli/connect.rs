//! `omni connect CLIENT`: the hub's entry put into a client's own settings, shown first, backed up, and taken back by `--undo`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use omni_auth::LocalTokens;
use omni_auth::settings::AuthMode;
use serde_json::{Map, Value, json};

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

/// Stands for every client whose settings are not known here.
const OTHER: &str = "other";
/// What stands for a token where a change is shown.
const TOKEN_SHOWN: &str = "(a new token)";

/// The clients that can be connected.
const CLIENTS: [&Client; 5] =
    [&claude::CLIENT, &claude_desktop::CLIENT, &cursor::CLIENT, &vscode::CLIENT, &windsurf::CLIENT];

/// Put the hub into a client's settings: shown first, backed up, undone by --undo.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The client; `other` shows an entry to copy, with a token of its own.
    #[arg(value_parser = PossibleValuesParser::new(CLIENTS.map(|client| client.name).into_iter().chain([OTHER])))]
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
    /// Take the hub out again; the client's token ends.
    #[arg(long, visible_alias = "remove", conflicts_with_all = ["url", "stdio"])]
    undo: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Folder where the hub remembers, instead of the configuration's `data_dir`.
    #[arg(long, env = "OMNI_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl ConnectArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let Some(client) = CLIENTS.into_iter().find(|client| client.name == self.client) else {
            return self.connect_other(context);
        };
        let tokens = self.tokens(context)?;
        let change = self.plan(client, context, tokens.is_some().then_some(TOKEN_SHOWN))?;
        if let Some(remark) = &change.remark {
            say_err!("{remark}");
        }
        // An entry with a token never is what it was: the token is a new one.
        if change.is_empty() {
            self.end_token(tokens.as_ref(), &change)?;
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
        let place = change.path.display().to_string();
        let token = match &tokens {
            Some(tokens) if !self.undo => Some(tokens.issue(client.name, &place)?),
            _ => None,
        };
        // Planned anew, with the token in its place; what stands in the file now is looked at once more.
        let change = if token.is_some() { self.plan(client, context, token.as_deref())? } else { change };
        let backup = change.carry_out((!self.undo).then(SystemTime::now))?;
        self.end_token(tokens.as_ref(), &change)?;
        self.tell(client, &change, backup.as_deref());
        if token.is_some() {
            self.tell_of_token(client);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Where tokens are kept, when the hub that is connected gives out its own.
    fn tokens(&self, context: &Context) -> Result<Option<LocalTokens>> {
        let settings = self.settings(context);
        let own = self.url.as_deref().is_none_or(is_of_this_machine);
        let wants = settings.auth.mode == AuthMode::Local && !self.stdio && own;
        if !(wants || self.undo) {
            return Ok(None);
        }
        let folder = context.data_dir(self.data_dir.clone(), &settings);
        let folder = folder.context("there is no home to keep the token's hash in: name a folder with --data-dir")?;
        Ok(Some(LocalTokens::of(&folder)))
    }

    fn settings(&self, context: &Context) -> config::Settings {
        let found = config::discover(context.config.as_deref(), &context.around);
        let loaded = found.and_then(|path| config::load(&path, &context.around).ok());
        loaded.map(|config| config.settings).unwrap_or_default()
    }

    /// With `--undo` the client's token ends.
    fn end_token(&self, tokens: Option<&LocalTokens>, change: &Change) -> Result<()> {
        if let Some(tokens) = tokens.filter(|_| self.undo) {
            tokens.revoke(&self.client, &change.path.display().to_string())?;
        }
        Ok(())
    }

    /// An entry for a person to copy. Each `--name` has a token of its own.
    fn connect_other(&self, context: &Context) -> Result<ExitCode> {
        let tokens = self.tokens(context)?;
        if self.undo {
            let had = tokens.map(|tokens| tokens.revoke(OTHER, &self.name)).transpose()?.unwrap_or_default();
            say!("{}", if had { "its token has ended" } else { "it has no token" });
            return Ok(ExitCode::SUCCESS);
        }
        if self.dry_run {
            say_err!("no token was made (--dry-run)");
            return Ok(ExitCode::SUCCESS);
        }
        let token = tokens.map(|tokens| tokens.issue(OTHER, &self.name)).transpose()?;
        let entry = with_token(client::entry([("url", &self.hub_url(context)?)]), token.as_deref());
        say!("{}", change::by_hand(&[&self.name], &entry));
        Ok(ExitCode::SUCCESS)
    }

    fn tell_of_token(&self, client: &Client) {
        say!("it holds a token of this machine's: the one that {} had before has ended", client.title);
        if self.scope == Scope::Project {
            say_err!("do not commit that file: whoever reads the token can use the hub as you while it is in force");
        }
    }

    fn plan(&self, client: &Client, context: &Context, token: Option<&str>) -> Result<Change> {
        let Some(path) = (client.file)(self.scope, &context.around) else {
            bail!("{} has no settings file for this scope here: try the other `--scope`", client.title);
        };
        let member = [client.container, self.name.as_str()];
        if self.undo {
            change::undo(path, &member)
        } else {
            change::connect(path, &member, &self.entry(client, context, token)?)
        }
    }

    fn hub_url(&self, context: &Context) -> Result<String> {
        let gateway = self.settings(context).gateway;
        let scheme = if gateway.tls.is_some() { "https" } else { "http" };
        let url = self.url.clone().unwrap_or_else(|| format!("{scheme}://{}/mcp", gateway.listen));
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("--url starts with http:// or https://");
        }
        Ok(url)
    }

    fn entry(&self, client: &Client, context: &Context, token: Option<&str>) -> Result<Value> {
        let found = config::discover(context.config.as_deref(), &context.around);
        match client.http {
            Some(http) if !self.stdio => Ok(with_token(http(&self.hub_url(context)?), token)),
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

/// An entry with the token among its headers.
fn with_token(mut entry: Map<String, Value>, token: Option<&str>) -> Value {
    if let Some(token) = token {
        entry.insert("headers".to_owned(), json!({ "Authorization": format!("Bearer {token}") }));
    }
    Value::Object(entry)
}

/// Tokens of this machine are for hubs on it.
fn is_of_this_machine(url: &str) -> bool {
    let authority =
        url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
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
