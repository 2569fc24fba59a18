//! Cursor: `.cursor/mcp.json` in the project or the home.

use serde_json::json;

use crate::cli::connect::client::{Client, Scope, entry};
use crate::cli::places;

pub(crate) const CLIENT: Client = Client {
    name: "cursor",
    title: "Cursor",
    container: "mcpServers",
    file: |scope, around| match scope {
        Scope::User => places::cursor_user(around),
        Scope::Project => Some(places::cursor_project(around)),
    },
    http: Some(|url| entry([("url", url)])),
    stdio: |program, args| json!({ "type": "stdio", "command": program, "args": args }),
    afterwards: "Cursor picks it up by itself; switch it on under Settings, MCP if it asks",
};
