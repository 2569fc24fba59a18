//! Claude Desktop: its file knows only servers that are started, so the entry starts `omni stdio`.

use serde_json::json;

use crate::cli::connect::client::{Client, Scope};
use crate::cli::places;

pub(crate) const CLIENT: Client = Client {
    name: "claude-desktop",
    title: "Claude Desktop",
    container: "mcpServers",
    file: |scope, around| match scope {
        Scope::User => places::claude_desktop(around),
        Scope::Project => None,
    },
    http: None,
    stdio: |program, args| json!({ "command": program, "args": args }),
    afterwards: "quit Claude Desktop and start it anew",
};
