//! `omni servers | tools | resources | prompts`: tables for people, JSON for programs.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use omni_hub::{Hub, Scope};
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::local::{ask, settle, with_hub};
use crate::cli::running;
use crate::cli::say::{say, say_err};
use crate::cli::table::table;
use crate::run;

/// Characters of a description in a table.
const DESCRIPTION_MAX: usize = 100;

/// What a list may be narrowed to.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this server.
    server: Option<String>,
    /// Print JSON for programs.
    #[arg(long)]
    json: bool,
}

/// Which list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Servers,
    Tools,
    Resources,
    Prompts,
}

impl ListArgs {
    pub(crate) fn run(self, kind: Kind, context: &Context) -> Result<ExitCode> {
        let (only, as_json) = (self.server, self.json);
        if kind == Kind::Servers
            && let Some(statuses) = running::statuses(context, &run::configuration(context)?.0)
        {
            // A hub that runs knows how its servers fare; starting them a second time would say less.
            return servers(statuses, only.as_deref(), as_json);
        }
        with_hub(context, async |running| {
            let hub = &running.hub;
            settle(hub, only.as_deref()).await?;
            match kind {
                Kind::Servers => servers(serde_json::to_value(hub.statuses(&Scope::All))?, only.as_deref(), as_json),
                Kind::Tools => items(hub, &["tools"], only.as_deref(), as_json).await,
                Kind::Prompts => items(hub, &["prompts"], only.as_deref(), as_json).await,
                Kind::Resources => items(hub, &["resources", "resourceTemplates"], only.as_deref(), as_json).await,
            }
        })
    }
}

fn servers(mut statuses: Value, only: Option<&str>, as_json: bool) -> Result<ExitCode> {
    if let Some(all) = statuses.as_array_mut() {
        all.retain(|status| only.is_none_or(|name| status["name"] == name));
    }
    if as_json {
        say!("{statuses:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["SERVER", "STATE", "VIA", "REVISION", "TOOLS", "PROMPTS", "RESOURCES", "NOTE"]);
    for status in statuses.as_array().into_iter().flatten() {
        let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
        let revisions = status["revisions"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let note = if status["error"].is_string() { text("error") } else { text("description") };
        rows.add_row([
            text("name"),
            state(status),
            text("transport"),
            revisions.collect::<Vec<_>>().join(", "),
            status["tools"].to_string(),
            status["prompts"].to_string(),
            status["resources"].to_string(),
            note,
        ]);
    }
    say!("{rows}");
    Ok(ExitCode::SUCCESS)
}

/// The state of a server; while it is left alone, how its breaker stands and when it is tried again.
fn state(status: &Value) -> String {
    let breaker = status["breaker"]["state"].as_str().filter(|state| *state != "closed");
    let again = status["retry_after_ms"].as_u64().map(|ms| format!("again in {} s", ms.div_ceil(1_000)));
    let more: Vec<String> = breaker.map(str::to_owned).into_iter().chain(again).collect();
    let state = status["state"].as_str().unwrap_or_default();
    if more.is_empty() { state.to_owned() } else { format!("{state} ({})", more.join(", ")) }
}

async fn items(hub: &Arc<Hub>, members: &[&str], only: Option<&str>, as_json: bool) -> Result<ExitCode> {
    let mut all = Vec::new();
    let mut absent = Vec::new();
    for member in members {
        let method =
            if *member == "resourceTemplates" { "resources/templates/list" } else { &format!("{member}/list") };
        let mut params = json!({});
        loop {
            let result: Value = serde_json::from_str(&ask(hub, method, &params.to_string()).await?)?;
            all.extend(result[*member].as_array().cloned().unwrap_or_default());
            absent = result["_meta"]["dev.omni-mcp-hub/absentServers"].as_array().cloned().unwrap_or_default();
            match result["nextCursor"].as_str() {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => break,
            }
        }
    }
    if let Some(name) = only {
        let prefix = format!("{name}__");
        all.retain(|item| item["name"].as_str().is_some_and(|n| n.starts_with(&prefix)) || item.get("uri").is_some());
    }
    if as_json {
        say!("{:#}", Value::Array(all));
    } else {
        let first = if members[0] == "resources" { "URI" } else { "NAME" };
        let mut rows = table(&[first, "DESCRIPTION"]);
        for item in &all {
            let key = ["uri", "uriTemplate", "name"].iter().find_map(|key| item[*key].as_str()).unwrap_or_default();
            rows.add_row([key.to_owned(), brief(item)]);
        }
        say!("{rows}");
    }
    for gone in &absent {
        let (server, why) = (gone["server"].as_str().unwrap_or_default(), gone["reason"].as_str().unwrap_or_default());
        say_err!("{server}: {why}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The first line of a description, as much as fits.
fn brief(item: &Value) -> String {
    let text = ["description", "title", "name"].iter().find_map(|key| item[*key].as_str()).unwrap_or_default();
    let line: String = text.trim().lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    if line.chars().count() <= DESCRIPTION_MAX {
        return line;
    }
    line.chars().take(DESCRIPTION_MAX - 1).chain(std::iter::once('…')).collect()
}
