//! VS Code: `mcp.json` (`servers`, `inputs`) of the folder or the user, or the `mcp` part of older `settings.json`, with comments.

use serde_json::Value;

use crate::cli::import::entry;
use crate::cli::import::found::{File, Reading, Source};
use crate::cli::import::variables::{Scene, Syntax};
use crate::cli::{jsonc, places};

pub(crate) const SOURCE: Source = Source {
    name: "vscode",
    places: |around| {
        [Some(places::vscode_project(around)), places::vscode_user(around)].into_iter().flatten().collect()
    },
    read,
};

fn read(file: &File<'_>) -> Result<Reading, String> {
    if jsonc::is_blank(file.text) {
        return Ok(Reading::default());
    }
    let root = jsonc::parse(file.text)?.plain();
    let section = if root["mcp"]["servers"].is_object() { &root["mcp"] } else { &root };
    let folder = file.path.parent();
    // `.vscode/mcp.json`: the project is the directory above; the user's file belongs to none.
    let base = folder.filter(|folder| folder.ends_with(".vscode")).and_then(|folder| folder.parent());
    let scene = Scene { syntax: Syntax::Editor, base, around: file.around };
    let inputs: Vec<&str> =
        section["inputs"].as_array().into_iter().flatten().filter_map(|input| input["id"].as_str()).collect();
    let mut notes = Vec::new();
    if !inputs.is_empty() {
        notes.push(format!(
            "not imported: inputs ({}): values that VS Code asks for come from variables here",
            inputs.join(", ")
        ));
    }
    if section["sandbox"] != Value::Null {
        notes.push("not imported: sandbox".to_owned());
    }
    Ok(Reading { found: entry::servers(&section["servers"], scene)?, notes })
}
