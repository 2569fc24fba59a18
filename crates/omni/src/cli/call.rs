//! `omni call server:tool '{…}'`: one tool, called through the hub as a client would.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::context::Context;
use crate::cli::local::{ask, settle, with_hub};
use crate::cli::say::{say, say_err};

/// Call a tool.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// `server:tool`, or `server__tool`.
    tool: String,
    /// Its arguments as a JSON object.
    arguments: Option<String>,
    /// One argument; the value is taken as JSON where it is some, else as text. May be repeated.
    #[arg(long = "arg", value_name = "KEY=VALUE")]
    args: Vec<String>,
    /// Print the whole result as JSON.
    #[arg(long)]
    json: bool,
}

impl CallArgs {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let arguments = arguments(self.arguments.as_deref(), &self.args)?;
        let params = json!({ "name": self.tool, "arguments": arguments }).to_string();
        let server = omni_protocol::split_qualified(&self.tool).map(|(server, _)| server.to_owned());
        let result = with_hub(context, async |running| {
            let known = server.as_deref().filter(|name| running.hub.snapshot().server(name).is_some());
            settle(&running.hub, known).await?;
            ask(&running.hub, "tools/call", &params).await
        })?;
        let value: Value = serde_json::from_str(&result)?;
        if self.json {
            say!("{value:#}");
        } else {
            show(&value);
        }
        let failed = value["isError"].as_bool() == Some(true);
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn arguments(object: Option<&str>, pairs: &[String]) -> Result<Map<String, Value>> {
    let mut all: Map<String, Value> = match object {
        None => Map::new(),
        Some(text) => {
            serde_json::from_str(text).context("the arguments must be a JSON object, such as '{\"path\": \".\"}'")?
        }
    };
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else { bail!("--arg takes KEY=VALUE, not `{pair}`") };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        if all.insert(key.to_owned(), value).is_some() {
            bail!("the argument `{key}` is given twice");
        }
    }
    Ok(all)
}

fn show(result: &Value) {
    for block in result["content"].as_array().into_iter().flatten() {
        match (block["type"].as_str(), block["text"].as_str()) {
            (Some("text"), Some(text)) => say!("{}", printable(text)),
            (Some("resource_link"), _) => say!("{}", printable(block["uri"].as_str().unwrap_or_default())),
            (Some("resource"), _) => match block["resource"]["text"].as_str() {
                Some(text) => say!("{}", printable(text)),
                None => say_err!("[{}: binary; --json shows it]", block["resource"]["uri"]),
            },
            (kind, _) => say_err!("[{}: --json shows it]", kind.unwrap_or("content")),
        }
    }
    if result["content"].as_array().is_none_or(Vec::is_empty) {
        say!("{:#}", result.get("structuredContent").unwrap_or(result));
    }
}

/// A tool's text must not steer the terminal it is shown on.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{arguments, printable};

    #[test]
    fn arguments_from_both_ways() {
        let pairs = ["n=5".to_owned(), "s=five".to_owned(), "l=[1]".to_owned(), "e=".to_owned()];
        let all = arguments(Some(r#"{"x":1}"#), &pairs).unwrap();
        assert_eq!(serde_json::Value::Object(all).to_string(), r#"{"x":1,"n":5,"s":"five","l":[1],"e":""}"#);
        assert!(arguments(Some("[]"), &[]).is_err());
        assert!(arguments(None, &["x".to_owned()]).is_err());
        assert!(arguments(Some(r#"{"x":1}"#), &["x=2".to_owned()]).is_err());
    }

    #[test]
    fn a_tools_text_does_not_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }
}
