//! `omni add NAME -- COMMAND…` and `omni add NAME --url URL`: one more server in `omni.yaml`, everything else there left as it is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use omni_proxy::settings::RemoteTransport;

use crate::cli::context::Context;
use crate::cli::own_file::OwnFile;
use crate::cli::say::{say, say_err};
use crate::config::{ServerSettings, entry_faults, escape_others, server_name_fault};

/// Add a server to omni.yaml: `omni add files -- npx -y @modelcontextprotocol/server-filesystem .`
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// What the server is to be called; its tools are called `NAME__tool`.
    name: String,
    /// Address of a server, instead of a command: http://, https://, ws:// or wss://.
    #[arg(long, conflicts_with = "command")]
    url: Option<String>,
    /// What is spoken at --url: http (Streamable HTTP), sse (HTTP+SSE) or websocket; found out when left out.
    #[arg(long, requires = "url", value_parser = remote_transport)]
    transport: Option<RemoteTransport>,
    /// A header sent with every request to --url, e.g. `--header 'Authorization: Bearer ${ENV:TOKEN}'`.
    #[arg(long = "header", value_name = "NAME: VALUE", requires = "url")]
    headers: Vec<String>,
    /// A variable of the command's environment.
    #[arg(long = "env", short = 'e', value_name = "NAME=VALUE", conflicts_with = "url")]
    env: Vec<String>,
    /// The command's working directory.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    cwd: Option<PathBuf>,
    /// What it is for, shown in tables.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Replace a server of the same name.
    #[arg(long)]
    force: bool,
    /// The command and its arguments, after `--`. `${ENV:NAME}` takes a variable of the hub; other `${…}` stays as it is.
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "url")]
    command: Vec<String>,
}

impl AddArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        if let Some(fault) = server_name_fault(&self.name) {
            bail!("`{}` cannot be a server's name: {fault}", self.name);
        }
        let mut file = OwnFile::open(context)?;
        let server = self.server(context, &file)?;
        file.add(&self.name, &server, self.force)?;
        file.save()?;
        let made = if file.is_new() { " (a new file)" } else { "" };
        say!("added {} to {}{made}", self.name, file.path.display());
        for key in crate::cli::secrets::literal(&server) {
            say_err!(
                "note: {key} looks like a secret written out; `${{ENV:NAME}}` takes it from the environment instead"
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    fn server(&self, context: &Context, file: &OwnFile) -> Result<ServerSettings> {
        let mut command = self.command.iter().map(|part| escape_others(part));
        // Paths on the command line are meant from here, those in the file from where the file is.
        let elsewhere = file.path.parent() != Some(context.around.cwd.as_path());
        let from_here = |path: String| match elsewhere && path.contains('/') && !path.starts_with(['/', '~']) {
            true => context.around.cwd.join(path).components().collect::<PathBuf>().to_string_lossy().into_owned(),
            false => path,
        };
        let server = ServerSettings {
            command: command.next().map(from_here),
            args: command.collect(),
            env: pairs(&self.env, '=', "--env NAME=VALUE")?,
            cwd: self.cwd.as_ref().map(|cwd| match elsewhere {
                true => context.around.cwd.join(cwd),
                false => cwd.clone(),
            }),
            url: self.url.as_deref().map(escape_others),
            transport: self.transport,
            headers: pairs(&self.headers, ':', "--header 'NAME: VALUE'")?,
            description: self.description.clone(),
            ..ServerSettings::default()
        };
        match entry_faults(&server).as_slice() {
            [] => Ok(server),
            faults => bail!("{}", faults.join("\n")),
        }
    }
}

fn remote_transport(text: &str) -> Result<RemoteTransport, String> {
    let known = serde_json::from_value(serde_json::Value::from(text));
    known.map_err(|_| "it is one of http, sse and websocket".to_owned())
}

fn pairs(given: &[String], separator: char, form: &str) -> Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for pair in given {
        // The value is not shown: it may be a secret.
        let Some((name, value)) = pair.split_once(separator) else { bail!("an option is not written {form}") };
        let value = if separator == ':' { value.trim() } else { value };
        if pairs.insert(name.trim().to_owned(), escape_others(value)).is_some() {
            bail!("{} is given twice", name.trim());
        }
    }
    Ok(pairs)
}
