//! Windsurf: `~/.codeium/windsurf/mcp_config.json`, where an address is called `serverUrl`.

use serde_json::json;

use crate::cli::connect::client::{Client, Scope, entry};
use crate::cli::places;

pub(crate) const CLIENT: Client = Client {
    name: "windsurf",
    title: "Windsurf",
    container: "mcpServers",
    file: |scope, around| match scope {
        Scope::User => places::windsurf(around),
        Scope::Project => None,
    },
    http: Some(|url| entry([("serverUrl", url)])),
    stdio: |program, args| json!({ "command": program, "args": args }),
    afterwards: "press refresh in Windsurf's MCP panel",
};
