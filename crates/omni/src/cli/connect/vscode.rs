//! VS Code: `.vscode/mcp.json` of the folder or the user's `mcp.json`, both JSON with comments.

use serde_json::json;

use crate::cli::connect::client::{Client, Scope, entry};
use crate::cli::places;

pub(crate) const CLIENT: Client = Client {
    name: "vscode",
    title: "VS Code",
    container: "servers",
    file: |scope, around| match scope {
        Scope::User => places::vscode_user(around),
        Scope::Project => Some(places::vscode_project(around)),
    },
    http: Some(|url| entry([("type", "http"), ("url", url)])),
    stdio: |program, args| json!({ "type": "stdio", "command": program, "args": args }),
    afterwards: "in VS Code run `MCP: List Servers` and start it there",
};
