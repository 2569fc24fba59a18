//! The two configurations that are held against one another.

use anyhow::Context;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;

/// A rule about the tool that is called.
const READS: &str = r#"forbid(principal, action == Action::"tools/call", resource == Tool::"up:echo")
  when { context.arguments.hasTag("text") && context.arguments.getTag("text") like "*forbidden*" };"#;

/// Nobody is asked who they are, and nothing is looked at.
pub(super) fn off(server: SocketAddr) -> Value {
    let pass = json!({ "nul": "pass", "control": "pass", "bidi": "pass", "zero_width": "pass", "hidden": "pass" });
    json!({
        "servers": servers(server),
        "auth": { "mode": "none" },
        "validation": { "arguments": false, "characters": pass },
        "answers": {
            "output_schema": "pass", "characters": pass, "errors": "pass",
            "detect": { "cards": "off", "ibans": "off", "emails": "off", "keys": "off", "secrets": "off" },
        },
        "log": { "level": "error" },
    })
}

/// Tokens of `issuer`, `rules` rules, and everything looked at that is looked at without a setting. With `reads` one of the
/// rules is about the tool that is called, and reads its arguments: then no verdict can be kept.
pub(super) fn on(
    server: SocketAddr,
    issuer: &str,
    (rules, reads): (usize, bool),
    folder: &Path,
) -> anyhow::Result<Value> {
    let file = folder.join(format!("{reads}.cedar"));
    let mut text = cedar(rules / 2);
    if reads {
        text += READS;
    }
    std::fs::write(&file, text).context("cannot write a file of policies")?;
    let mut roles = serde_json::Map::new();
    for role in 0..20 {
        let mut allow: Vec<String> = (0..rules / 40).map(|at| format!("s{}:t{at}*", at % 10)).collect();
        if role == 1 {
            allow.push("up:echo".to_owned());
        }
        roles.insert(format!("r{role}"), json!({ "allow": allow }));
    }
    Ok(json!({
        "servers": servers(server),
        "auth": { "mode": "oauth", "scopes": ["mcp:use"], "providers": [{ "issuer": issuer }] },
        "policy": { "roles": roles, "files": [file] },
        "log": { "level": "error" },
    }))
}

fn servers(server: SocketAddr) -> Value {
    json!({ "up": { "url": format!("http://{server}/mcp") } })
}

/// Half of the rules, every tenth with a condition.
fn cedar(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let condition = if at % 10 == 0 { "when { principal.id != \"x\" }" } else { "" };
        let effect = if at % 4 == 0 { "forbid" } else { "permit" };
        let server = at % 50 + 2;
        text += &format!(
            "{effect}(principal in Role::\"q{at}\", action, resource in Server::\"s{server}\") {condition};\n"
        );
    }
    text
}
