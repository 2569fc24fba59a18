//! Claude Desktop: `claude_desktop_config.json`.

use crate::cli::import::entry;
use crate::cli::import::found::{File, Reading, Source};
use crate::cli::import::variables::{Scene, Syntax};
use crate::cli::{jsonc, places};

pub(crate) const SOURCE: Source =
    Source { name: "claude-desktop", places: |around| places::claude_desktop(around).into_iter().collect(), read };

fn read(file: &File<'_>) -> Result<Reading, String> {
    if jsonc::is_blank(file.text) {
        return Ok(Reading::default());
    }
    let root = jsonc::parse(file.text)?.plain();
    let scene = Scene { syntax: Syntax::Claude, base: None, around: file.around };
    Ok(Reading { found: entry::servers(&root["mcpServers"], scene)?, notes: Vec::new() })
}
