//! Claude Code: `.mcp.json` for a project, `~/.claude.json` for the user.

use serde_json::json;

use crate::cli::connect::client::{Client, Scope, entry};
use crate::cli::places;

pub(crate) const CLIENT: Client = Client {
    name: "claude",
    title: "Claude Code",
    container: "mcpServers",
    file: |scope, around| match scope {
        Scope::User => places::claude_user(around),
        Scope::Project => Some(places::claude_project(around)),
    },
    http: Some(|url| entry([("type", "http"), ("url", url)])),
    stdio: |program, args| json!({ "type": "stdio", "command": program, "args": args }),
    afterwards: "start `claude` anew; /mcp shows the connection",
};
