//! Claude Code: `.mcp.json` of a project, `~/.claude.json` with the user's servers and those of single projects.

use std::path::Path;

use serde_json::Value;

use crate::cli::import::entry;
use crate::cli::import::found::{File, Found, Outcome, Reading, Source};
use crate::cli::import::variables::{Scene, Syntax};
use crate::cli::{file, jsonc, places};
use crate::config::Surroundings;

pub(crate) const SOURCE: Source = Source {
    name: "claude",
    places: |around| {
        [Some(places::claude_project(around)), places::claude_user(around)].into_iter().flatten().collect()
    },
    read,
};

fn read(file: &File<'_>) -> Result<Reading, String> {
    if jsonc::is_blank(file.text) {
        return Ok(Reading::default());
    }
    let root = jsonc::parse(file.text)?.plain();
    let user_file = root.get("projects").is_some() || file.path.file_name().is_some_and(|name| name == ".claude.json");
    if user_file { user(file, &root) } else { project(file, &root) }
}

/// `~/.claude.json`: this directory's own servers first, then the user's.
fn user(file: &File<'_>, root: &Value) -> Result<Reading, String> {
    let around = file.around;
    let here = project_of(root, &around.cwd);
    let local = Scene { syntax: Syntax::Claude, base: Some(&around.cwd), around };
    let everywhere = Scene { base: None, ..local };
    let mut found = entry::servers(&here["mcpServers"], local)?;
    found.extend(entry::servers(&root["mcpServers"], everywhere)?);
    refuse(&mut found, &here["disabledMcpServers"]);
    Ok(Reading { found, notes: Vec::new() })
}

/// `.mcp.json`, less what the user has refused or overridden for this project.
fn project(file: &File<'_>, root: &Value) -> Result<Reading, String> {
    let scene = Scene { syntax: Syntax::Claude, base: file.path.parent(), around: file.around };
    let mut found = entry::servers(&root["mcpServers"], scene)?;
    let user = user_settings(file.around);
    let here = file.path.parent().map(|folder| project_of(&user, folder)).unwrap_or(&Value::Null);
    refuse(&mut found, &here["disabledMcpjsonServers"]);
    // For Claude Code a directory's own entry goes before the project's, as a whole.
    for server in found.iter_mut().filter(|server| here["mcpServers"].get(&server.name).is_some()) {
        server.outcome = Outcome::Skipped("overridden by the entry for this directory in ~/.claude.json".to_owned());
    }
    Ok(Reading { found, notes: Vec::new() })
}

fn user_settings(around: &Surroundings) -> Value {
    let text = places::claude_user(around).and_then(|path| file::read(&path).ok().flatten());
    text.and_then(|text| jsonc::parse(&text).ok()).map(|json| json.plain()).unwrap_or_default()
}

fn project_of<'a>(root: &'a Value, folder: &Path) -> &'a Value {
    &root["projects"][folder.to_string_lossy().as_ref()]
}

fn refuse(found: &mut [Found], names: &Value) {
    let names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for server in found.iter_mut().filter(|server| names.contains(&server.name.as_str())) {
        server.outcome = Outcome::Skipped("disabled in Claude Code".to_owned());
    }
}
