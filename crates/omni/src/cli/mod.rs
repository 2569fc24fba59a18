//! The command line: what `omni` understands. A command is a file with its arguments and `run`, and one line in [`Command`].

mod add;
mod admin;
mod approvals;
mod audit;
mod banner;
mod cache;
mod call;
mod check;
mod completions;
mod connect;
pub(crate) mod context;
mod diff;
mod file;
mod import;
mod jsonc;
mod key;
mod list;
mod local;
mod own_file;
mod places;
mod policy;
mod printable;
mod profile;
mod prompt;
mod reload;
pub(crate) mod remote;
mod remove;
mod running;
pub(crate) mod say;
mod scan;
mod schema;
mod secret;
mod secrets;
mod serve;
mod server;
mod status;
mod stdio;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod when;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::context::Context;
use crate::config::Surroundings;

/// Omni MCP Hub: one gateway in front of many MCP servers. Alone it runs the hub.
#[derive(Debug, Parser)]
#[command(name = "omni", version, propagate_version = true)]
pub(crate) struct Cli {
    /// The configuration; without it `./omni.yaml`, then `omni/omni.yaml` in your configuration directory.
    #[arg(long, global = true, env = "OMNI_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    remote: remote::RemoteArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The commands, each a file beside this one.
#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Stdio(stdio::StdioArgs),
    /// List the servers and how they fare.
    Servers(list::ListArgs),
    /// List the tools of all servers.
    Tools(list::ListArgs),
    /// List the resources and resource templates of all servers.
    Resources(list::ListArgs),
    /// List the prompts of all servers.
    Prompts(list::ListArgs),
    Call(call::CallArgs),
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
    Import(import::ImportArgs),
    Connect(connect::ConnectArgs),
    Status(status::StatusArgs),
    Key(key::KeyArgs),
    Token(token::TokenArgs),
    Secret(secret::SecretArgs),
    Approvals(approvals::ApprovalsArgs),
    Audit(audit::AuditArgs),
    Cache(cache::CacheArgs),
    Reload(reload::ReloadArgs),
    Store(store::StoreArgs),
    Check(check::CheckArgs),
    Policy(policy::PolicyArgs),
    Profile(profile::ProfileArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Server(server::ServerArgs),
}

impl Command {
    /// Whether it is about a hub that runs, be it elsewhere.
    const fn asks_elsewhere(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Key(_) | Self::Token(_) | Self::Approvals(_) | Self::Reload(_))
    }
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.run_in(Surroundings::of_process().context("the current directory cannot be found")?)
    }

    fn run_in(self, around: Surroundings) -> Result<ExitCode> {
        let command = self.command.unwrap_or_else(|| Command::Serve(serve::ServeArgs::from_env()));
        if self.remote.is_given() && !command.asks_elsewhere() {
            bail!("--admin goes with `status`, `key`, `token`, `approvals` and `reload`");
        }
        // The environment means those that can alone.
        let remote = command.asks_elsewhere().then_some(self.remote).and_then(|remote| remote.named(&around));
        let context = &Context { config: self.config, remote, around };
        match command {
            Command::Serve(command) => command.run(context),
            Command::Stdio(command) => command.run(context),
            Command::Servers(command) => command.run(list::Kind::Servers, context),
            Command::Tools(command) => command.run(list::Kind::Tools, context),
            Command::Resources(command) => command.run(list::Kind::Resources, context),
            Command::Prompts(command) => command.run(list::Kind::Prompts, context),
            Command::Call(command) => command.run(context),
            Command::Server(command) => command.run(),
            Command::Add(command) => command.run(context),
            Command::Remove(command) => command.run(context),
            Command::Import(command) => command.run(context),
            Command::Connect(command) => command.run(context),
            Command::Status(command) => command.run(context),
            Command::Key(command) => command.run(context),
            Command::Token(command) => command.run(context),
            Command::Secret(command) => command.run(context),
            Command::Approvals(command) => command.run(context),
            Command::Audit(command) => command.run(context),
            Command::Cache(command) => command.run(context),
            Command::Reload(command) => command.run(context),
            Command::Store(command) => command.run(context),
            Command::Check(command) => command.run(context),
            Command::Policy(command) => command.run(context),
            Command::Profile(command) => command.run(context),
            Command::Schema(command) => command.run(context),
            Command::Completions(command) => command.run(Self::command()),
        }
    }
}
