//! MCP Apps (extension `io.modelcontextprotocol/ui`) through the hub: a tool names the page that shows it (`_meta.ui`), and the
//! page is read as a `ui://` resource.

use serde_json::{Value, json};

use crate::harness::peers::{Peers, skipped};
use crate::harness::{Client, Era, Hub, until};

/// The page of the example server of the extension's own authors.
const PAGE: &str = "ui://get-time/mcp-app.html";
const MEDIA: &str = "text/html;profile=mcp-app";

/// What a host of apps declares.
fn host() -> Value {
    json!({ "extensions": { "io.modelcontextprotocol/ui": { "mimeTypes": [MEDIA] } } })
}

/// The page that the tool `name` shows, as it is named in both ways.
async fn page_of(client: &Client, name: &str) -> String {
    let tool = until("the tool is listed", 20, async || {
        let tools = client.result("tools/list", json!({})).await["tools"].clone();
        let found = tools.as_array().unwrap().iter().find(|tool| tool["name"] == name).cloned();
        found.ok_or_else(|| tools.to_string())
    })
    .await;
    let page = tool["_meta"]["ui"]["resourceUri"].as_str().expect("the tool names its page").to_owned();
    assert_eq!(tool["_meta"]["ui/resourceUri"], page, "{tool}");
    page
}

async fn read(client: &Client, page: &str, wanted: &str) {
    let contents = client.result("resources/read", json!({ "uri": page })).await["contents"].clone();
    assert_eq!((&contents[0]["uri"], &contents[0]["mimeType"]), (&json!(page), &json!(MEDIA)));
    assert!(contents[0]["text"] == wanted, "the page is another one than the server's");
    assert_eq!(contents.as_array().unwrap().len(), 1);
}

/// Two servers use the same URI: at their own endpoints it stays, at `/mcp` each tool leads to the page of its own server.
#[tokio::test(flavor = "multi_thread")]
async fn tool_1_mcp_apps_of_the_extensions_own_example() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("server-basic-vanillajs/dist/index.js");
    if !program.is_file() {
        return skipped("peers", "server-basic-vanillajs is missing: run `cargo xtask fixtures`");
    }
    let wanted = std::fs::read_to_string(peers.module("server-basic-vanillajs/dist/mcp-app.html")).unwrap();
    assert!(wanted.contains("<script"), "the page is no app");
    let server = json!({ "command": peers.node, "args": [program, "--stdio"] });
    let hub = Hub::with(json!({ "one": server, "two": server }));
    hub.awake().await;
    for era in Era::BOTH {
        for name in ["one", "two"] {
            let client = Client::able(&hub, &format!("/mcp/{name}"), era, host()).await;
            assert_eq!(page_of(&client, "get-time").await, PAGE);
            read(&client, PAGE, &wanted).await;
            let told = client.call("get-time", json!({})).await;
            assert!(told["structuredContent"]["time"].is_string(), "{told}");
        }
        let client = Client::able(&hub, "/mcp", era, host()).await;
        let listed = client.list("resources/list", "resources", "uri").await.0;
        let mut pages = Vec::new();
        for name in ["one", "two"] {
            let page = page_of(&client, &format!("{name}__get-time")).await;
            assert!(page.starts_with("ui://") && listed.contains(&page), "{page} is not among {listed:?}");
            read(&client, &page, &wanted).await;
            let told = client.call(&format!("{name}__get-time"), json!({})).await;
            assert!(told["structuredContent"]["time"].is_string(), "{told}");
            pages.push(page);
        }
        assert_ne!(pages[0], pages[1], "the tools of two servers show the same page");
    }
}
