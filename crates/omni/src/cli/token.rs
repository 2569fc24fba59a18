//! `omni token`: tokens that a provider gave out are refused from now on, or not any more.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::admin::{DataDir, part};
use crate::cli::context::Context;
use crate::cli::say::{say, say_err};
use crate::cli::table::table;
use crate::cli::when::{date, from_now, span};

/// Access tokens of login providers that the hub is to refuse.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Revoke(Revoke),
    List(List),
    Restore(Restore),
}

/// Refuse one token, or all tokens of a subject that were issued up to now.
#[derive(Debug, Args)]
struct Revoke {
    /// The token's id (its claim `jti`).
    #[arg(long, value_name = "ID", required_unless_present = "subject", conflicts_with = "subject")]
    jti: Option<String>,
    /// The subject (the claim that your configuration takes for the user's id; `sub` by default).
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Whose tokens; needed only where the hub takes tokens of several providers.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Why, for whoever reads the list.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Forget it after this time, when the tokens have expired anyway (`30d`).
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    for_s: Option<i64>,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: DataDir,
}

/// List what is refused.
#[derive(Debug, Args)]
struct List {
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: DataDir,
}

/// Take a revocation back.
#[derive(Debug, Args)]
struct Restore {
    /// The revocation's id, as `omni token list` shows it.
    id: String,
    #[command(flatten)]
    at: DataDir,
}

impl TokenArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self.what {
            What::Revoke(revoke) => revoke.run(context)?,
            What::List(list) => list.run(context)?,
            What::Restore(Restore { id, at }) => {
                at.ask(context, "DELETE", &format!("/revocations/{}", part(&id)), None)?;
                say!("revocation {id} is taken back");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Revoke {
    fn run(self, context: &Context) -> Result<()> {
        let wanted = json!({
            "jti": self.jti, "subject": self.subject, "issuer": self.issuer, "reason": self.reason, "for_s": self.for_s,
        });
        let row = self.at.ask(context, "POST", "/revocations", Some(&wanted))?;
        if self.json {
            say!("{row:#}");
        } else {
            say!("refused from now on: {} ({})", meant(&row), text(&row, "id"));
        }
        Ok(())
    }
}

impl List {
    fn run(self, context: &Context) -> Result<()> {
        let all = self.at.all(context, "/revocations", "revocations")?;
        if self.json {
            say!("{:#}", Value::Array(all));
            return Ok(());
        }
        if all.is_empty() {
            say_err!("No token is revoked.");
            return Ok(());
        }
        let mut rows = table(&["ID", "REFUSED", "ISSUER", "SINCE (UTC)", "BY", "FORGOTTEN", "REASON"]);
        for row in &all {
            rows.add_row([
                text(row, "id"),
                meant(row),
                text(row, "issuer"),
                row["revoked_at"].as_i64().map(date).unwrap_or_default(),
                text(row, "revoked_by"),
                row["until_at"].as_i64().map_or_else(|| "never".to_owned(), from_now),
                text(row, "reason"),
            ]);
        }
        say!("{rows}");
        Ok(())
    }
}

fn meant(row: &Value) -> String {
    match row["kind"].as_str() {
        Some("jti") => format!("token {}", text(row, "value")),
        _ => format!("all tokens of {} until then", text(row, "value")),
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}
