//! `omni approvals`: calls that wait for an administrator's word.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::admin::{DataDir, part};
use crate::cli::context::Context;
use crate::cli::printable::printable;
use crate::cli::say::{say, say_err};
use crate::cli::table::table;
use crate::cli::when::from_now;

/// Calls that wait for an administrator's word.
#[derive(Debug, Args)]
pub(crate) struct ApprovalsArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    at: DataDir,
}

#[derive(Debug, Subcommand)]
enum What {
    List(List),
    Approve(Approve),
    Deny(Deny),
}

/// List the calls that wait (this is what `omni approvals` alone does).
#[derive(Debug, Default, Args)]
struct List {
    /// Those in this state instead.
    #[arg(long, value_enum, default_value_t = State::Waiting)]
    state: State,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum State {
    #[default]
    Waiting,
    Approved,
    Denied,
    Expired,
    Withdrawn,
    All,
}

/// Let a call run, once.
#[derive(Debug, Args)]
struct Approve {
    /// Its id, as the list shows it.
    id: String,
}

/// Refuse a call.
#[derive(Debug, Args)]
struct Deny {
    /// Its id, as the list shows it.
    id: String,
    /// Why, for the caller.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl ApprovalsArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        match self.what.unwrap_or_else(|| What::List(List::default())) {
            What::List(list) => list.run(&self.at, context)?,
            What::Approve(Approve { id }) => {
                let row = self.at.of_running(context, "POST", &format!("/approvals/{}/approve", part(&id)), None)?;
                say!("approved: {}", call(&row));
            }
            What::Deny(Deny { id, note }) => {
                let body = json!({ "note": note });
                let path = format!("/approvals/{}/deny", part(&id));
                let row = self.at.of_running(context, "POST", &path, Some(&body))?;
                say!("denied: {}", call(&row));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    fn run(self, at: &DataDir, context: &Context) -> Result<()> {
        let state = self.state.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let path = if state == "all" { "/approvals".to_owned() } else { format!("/approvals?state={state}") };
        let all = at.all(context, &path, "approvals")?;
        if self.json {
            say!("{:#}", Value::Array(all));
            return Ok(());
        }
        if all.is_empty() {
            say_err!("{}", if state == "waiting" { "No call waits for approval." } else { "There are none." });
            return Ok(());
        }
        let mut rows = table(&["ID", "STATE", "WHO", "WHAT", "ARGUMENTS", "WHY", "ENDS"]);
        for row in &all {
            let end = row["decided_at"].as_i64().or(row["expires_at"].as_i64());
            rows.add_row([
                text(row, "id"),
                match text(row, "decided_by") {
                    by if by.is_empty() => text(row, "state"),
                    by => format!("{} by {by}", text(row, "state")),
                },
                text(row, "principal"),
                call(row),
                printable(&text(row, "arguments")),
                printable(&text(row, "reason")),
                end.map(from_now).unwrap_or_default(),
            ]);
        }
        say!("{rows}");
        Ok(())
    }
}

fn call(row: &Value) -> String {
    printable(&format!("{} {}:{}", text(row, "action"), text(row, "server"), text(row, "name")))
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}
