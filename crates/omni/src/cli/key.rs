//! `omni key`: API keys for programs, made, listed, rotated and revoked.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::admin::{DataDir, part};
use crate::cli::context::Context;
use crate::cli::say::{say, say_err};
use crate::cli::table::table;
use crate::cli::when::{date, from_now, now, span};

/// API keys for programs that call the hub.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Create(Create),
    List(List),
    Rotate(Rotate),
    Revoke(Revoke),
}

/// Make a key. It is shown once; only a hash of it is kept.
#[derive(Debug, Args)]
struct Create {
    /// Whose identity it gives, such as `ci`: policies and logs call it `key:NAME`.
    name: String,
    /// Seconds, minutes, hours, days or weeks that it lives (`90d`); `never` for one without an end.
    #[arg(long, value_name = "SPAN", default_value = "90d")]
    expires: String,
    /// A role of its holder; can be given several times.
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,
    /// A group of its holder; can be given several times.
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// A permission of its holder; can be given several times.
    #[arg(long = "permission", value_name = "NAME")]
    permissions: Vec<String>,
    /// A server it is for; can be given several times. Without any it is for all.
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<String>,
    /// Who answers for it, instead of you.
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// The tenant it belongs to.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: DataDir,
}

/// List the keys.
#[derive(Debug, Args)]
struct List {
    /// Also those that have expired or were revoked.
    #[arg(long)]
    all: bool,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: DataDir,
}

/// Make a successor of a key; the key itself lives on for a while.
#[derive(Debug, Args)]
struct Rotate {
    /// The key's name or id.
    key: String,
    /// How long the key before lives on; `0s` ends it at once.
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = span)]
    overlap: i64,
    /// How long the new key lives; without it, as long as the one before was made to.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    expires: Option<i64>,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: DataDir,
}

/// Revoke a key, or all keys of a name, at once.
#[derive(Debug, Args)]
struct Revoke {
    /// The key's name or id.
    key: String,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: DataDir,
}

impl KeyArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self.what {
            What::Create(create) => create.run(context)?,
            What::List(list) => list.run(context)?,
            What::Rotate(rotate) => rotate.run(context)?,
            What::Revoke(revoke) => revoke.run(context)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Create {
    fn run(self, context: &Context) -> Result<()> {
        let life = match self.expires.as_str() {
            "never" => None,
            text => Some(span(text).map_err(|why| anyhow::anyhow!("--expires: {why}"))?),
        };
        let wanted = json!({
            "name": self.name, "owner": self.owner, "tenant": self.tenant, "groups": self.groups, "roles": self.roles,
            "permissions": self.permissions, "servers": self.servers, "expires_in_s": life,
        });
        let made = self.at.ask(context, "POST", "/keys", Some(&wanted))?;
        show_secret(&made, self.json);
        if !self.json && self.roles.is_empty() && self.groups.is_empty() && self.permissions.is_empty() {
            say_err!("It has no role yet, so it may do what policies allow `key:{}`, and nothing else.", self.name);
        }
        Ok(())
    }
}

impl Rotate {
    fn run(self, context: &Context) -> Result<()> {
        let wanted = json!({ "overlap_s": self.overlap, "expires_in_s": self.expires });
        let path = format!("/keys/{}/rotate", part(&self.key));
        let made = self.at.ask(context, "POST", &path, Some(&wanted))?;
        show_secret(&made, self.json);
        if !self.json {
            match self.overlap {
                0 => say_err!("The key before it has ended."),
                overlap => say_err!("The key before it lives until {} UTC at most.", date(now() + overlap)),
            }
        }
        Ok(())
    }
}

impl Revoke {
    fn run(self, context: &Context) -> Result<()> {
        let answer = self.at.ask(context, "DELETE", &format!("/keys/{}", part(&self.key)), None)?;
        if self.json {
            say!("{answer:#}");
            return Ok(());
        }
        for key in answer["revoked"].as_array().into_iter().flatten() {
            say!("revoked {} ({})", text(key, "name"), text(key, "id"));
        }
        Ok(())
    }
}

impl List {
    fn run(self, context: &Context) -> Result<()> {
        let mut keys = self.at.all(context, "/keys", "keys")?;
        keys.retain(|key| self.all || state(key) == "in force");
        if self.json {
            say!("{:#}", Value::Array(keys));
            return Ok(());
        }
        if keys.is_empty() {
            say_err!("There are no keys{}; `omni key create NAME` makes one.", if self.all { "" } else { " in force" });
            return Ok(());
        }
        let mut rows = table(&["NAME", "ID", "STATE", "EXPIRES", "LAST USED", "OWNER", "MAY", "SERVERS"]);
        for key in &keys {
            let grants = [("role", "roles"), ("group", "groups"), ("permission", "permissions")];
            let may: Vec<String> = grants
                .iter()
                .flat_map(|(word, list)| names(key, list).into_iter().map(move |name| format!("{word} {name}")))
                .collect();
            let servers = names(key, "servers");
            rows.add_row([
                text(key, "name"),
                text(key, "id"),
                state(key).to_owned(),
                key["expires_at"].as_i64().map_or_else(|| "never".to_owned(), from_now),
                key["last_used_at"].as_i64().map_or_else(|| "never".to_owned(), from_now),
                text(key, "owner"),
                may.join(", "),
                if servers.is_empty() { "all".to_owned() } else { servers.join(", ") },
            ]);
        }
        say!("{rows}");
        Ok(())
    }
}

fn show_secret(made: &Value, as_json: bool) {
    if as_json {
        say!("{made:#}");
        return;
    }
    let key = &made["key"];
    say!("{}", made["secret"].as_str().unwrap_or_default());
    let end =
        key["expires_at"].as_i64().map_or_else(|| "never expires".to_owned(), |at| format!("expires {} UTC", date(at)));
    say_err!(
        "Key `{}` ({}), {end}. It is shown this once: keep it where its program finds it.",
        text(key, "name"),
        text(key, "id")
    );
    say_err!("The program sends it as `Authorization: Bearer KEY`.");
}

fn state(key: &Value) -> &'static str {
    if key["revoked_at"].is_i64() {
        "revoked"
    } else if key["expires_at"].as_i64().is_some_and(|end| end <= now()) {
        "expired"
    } else {
        "in force"
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

fn names(value: &Value, member: &str) -> Vec<String> {
    value[member].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}
