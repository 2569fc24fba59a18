//! Cursor: `mcp.json` in `.cursor` of the project or the home.

use crate::cli::import::entry;
use crate::cli::import::found::{File, Reading, Source};
use crate::cli::import::variables::{Scene, Syntax};
use crate::cli::{jsonc, places};

pub(crate) const SOURCE: Source = Source {
    name: "cursor",
    places: |around| {
        [Some(places::cursor_project(around)), places::cursor_user(around)].into_iter().flatten().collect()
    },
    read,
};

fn read(file: &File<'_>) -> Result<Reading, String> {
    if jsonc::is_blank(file.text) {
        return Ok(Reading::default());
    }
    let root = jsonc::parse(file.text)?.plain();
    let user = places::cursor_user(file.around).is_some_and(|path| path == file.path);
    // `.cursor/mcp.json`: the project is the directory above.
    let base = if user { None } else { file.path.parent().and_then(|folder| folder.parent()) };
    let scene = Scene { syntax: Syntax::Editor, base, around: file.around };
    Ok(Reading { found: entry::servers(&root["mcpServers"], scene)?, notes: Vec::new() })
}
