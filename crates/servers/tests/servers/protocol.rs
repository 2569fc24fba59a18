//! The protocol of both eras, on the Filesystem server (GW-3, VAL-1).

use serde_json::{Value, json};

use crate::client::{Client, files};

fn meta(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn modern() -> Value {
    json!({ "_meta": meta("2026-07-28") })
}

async fn fresh() -> (tempfile::TempDir, Client) {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a.txt"), "hello\n").unwrap();
    let client = Client::connect(files(&[root.path()], false));
    (root, client)
}

#[tokio::test]
async fn a_session_speaks_the_revision_asked_for() {
    for (asked, given) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("nonsense", "2025-11-25"),
    ] {
        let (_root, mut client) = fresh().await;
        let answer = client.request("initialize", json!({"protocolVersion": asked, "capabilities": {}})).await;
        assert_eq!(answer["result"]["protocolVersion"], given);
        assert_eq!(answer["result"]["serverInfo"]["name"], "omni-filesystem");
        assert_eq!(answer["result"]["capabilities"], json!({"tools": {}}));
        let again = client.request("initialize", json!({"protocolVersion": asked, "capabilities": {}})).await;
        assert_eq!(again["error"]["code"], -32600);
        let list = client.request("tools/list", json!({})).await;
        assert_eq!(list["result"].get("resultType"), None, "a member of the modern era in a session");
        assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
        assert!(client.finish().await.is_empty());
    }
}

#[tokio::test]
async fn a_modern_client_needs_no_session() {
    let (_root, mut client) = fresh().await;
    let discovered = client.request("server/discover", modern()).await["result"].clone();
    assert_eq!(discovered["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(discovered["resultType"], "complete");
    assert_eq!(discovered["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "omni-filesystem");
    assert!(discovered["ttlMs"].is_u64() && discovered["cacheScope"] == "public");

    let list = client.request("tools/list", modern()).await["result"].clone();
    assert!(list["ttlMs"].is_u64() && list["cacheScope"].is_string() && list["resultType"] == "complete");

    let mut params = modern();
    params["name"] = json!("read_text_file");
    params["arguments"] = json!({"path": "a.txt"});
    let called = client.request("tools/call", params).await["result"].clone();
    assert_eq!(called["content"][0]["text"], "hello\n");
    assert_eq!(called["resultType"], "complete");
    assert_eq!(called.get("ttlMs"), None, "a call is not cacheable");
    assert!(client.finish().await.is_empty());
}

#[tokio::test]
async fn what_the_modern_era_lacks_or_requires_is_said() {
    let (_root, mut client) = fresh().await;
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/list", "no/such"] {
        assert_eq!(client.request(method, modern()).await["error"]["code"], -32601, "{method}");
    }
    let unknown = client.request("tools/list", json!({"_meta": meta("2030-01-01")})).await["error"].clone();
    assert_eq!(unknown["code"], -32022);
    assert_eq!(unknown["data"], json!({"supported": ["2026-07-28"], "requested": "2030-01-01"}));
    assert_eq!(client.request("tools/list", json!({})).await["error"]["code"], -32602);
    assert_eq!(client.request("server/discover", json!({})).await["error"]["code"], -32602);
    let half = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}});
    assert_eq!(client.request("tools/list", half).await["error"]["code"], -32602);
    // A ping may come before the session of an older client.
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn a_subscription_is_acknowledged_stays_open_and_ends_with_the_connection() {
    let (_root, mut client) = fresh().await;
    let mut params = modern();
    params["notifications"] = json!({"toolsListChanged": true});
    for id in ["one", "two"] {
        client.send(&json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params})).await;
        let acknowledged = client.receive().await;
        assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(acknowledged["params"]["notifications"], json!({}), "nothing here ever changes");
        assert_eq!(acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    }
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "one"}})).await;
    assert!(client.request("tools/list", modern()).await["result"].is_object());
    let rest = client.finish().await;
    assert_eq!(rest.len(), 1, "the cancelled one is silent: {rest:?}");
    assert_eq!(rest[0]["id"], "two");
    assert_eq!(rest[0]["result"]["resultType"], "complete");
}

#[tokio::test]
async fn broken_messages_are_refused_and_the_next_one_is_served() {
    let (_root, mut client) = fresh().await;
    for (line, code) in [("{", -32700), ("nonsense", -32700), ("[]", -32600), ("5", -32600), (r#"{"id":1}"#, -32600)] {
        client.send_text(line).await;
        assert_eq!(client.receive().await["error"]["code"], code, "{line}");
    }
    client.send_text(r#"{"jsonrpc":"2.0","method":"notifications/unheard"}"#).await;
    client.send_text(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#).await;
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn a_line_over_16_mib_is_skipped() {
    let (_root, mut client) = fresh().await;
    client.send_text(&"x".repeat(16 * 1024 * 1024 + 1)).await;
    let answer = client.receive().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32700)));
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn batches_are_served_where_the_revision_has_them() {
    let (_root, mut client) = fresh().await;
    client.request("initialize", json!({"protocolVersion": "2025-03-26", "capabilities": {}})).await;
    let call = json!({"name": "read_text_file", "arguments": {"path": "a.txt"}});
    client
        .send(&json!([
            {"jsonrpc": "2.0", "id": "p", "method": "ping"},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": call},
        ]))
        .await;
    let answers = client.receive().await;
    let ids: Vec<_> = answers.as_array().unwrap().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, ["p", "c"]);
    assert_eq!(answers[1]["result"]["content"][0]["text"], "hello\n");

    let (_root, mut client) = fresh().await;
    client.request("initialize", json!({"protocolVersion": "2025-06-18", "capabilities": {}})).await;
    client.send(&json!([{"jsonrpc": "2.0", "id": "p", "method": "ping"}])).await;
    assert_eq!(client.receive().await["error"]["code"], -32600);
}

#[tokio::test]
async fn calls_that_do_not_fit_are_told_apart_from_tools_that_fail() {
    let (root, mut client) = fresh().await;
    client.request("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}})).await;
    let unknown = client.request("tools/call", json!({"name": "no_such_tool", "arguments": {}})).await;
    assert_eq!(unknown["error"]["code"], -32602);
    let no_object = client.request("tools/call", json!({"name": "read_text_file", "arguments": [1]})).await;
    assert_eq!(no_object["error"]["code"], -32602);
    let no_name = client.request("tools/call", json!({"arguments": {}})).await;
    assert_eq!(no_name["error"]["code"], -32602);
    client.refused("read_text_file", json!({}), "missing field `path`").await;
    client.refused("read_text_file", json!({"path": 5}), "invalid argument 'path'").await;
    client.refused("read_text_file", json!({"path": "a.txt", "hat": 1}), "hat").await;
    client.refused("read_text_file", json!({"path": "b.txt"}), "no such file").await;
    assert_eq!(client.request("tools/list", json!({"cursor": "x"})).await["error"]["code"], -32602);
    drop(root);
}

#[tokio::test]
async fn many_requests_are_answered_side_by_side_each_under_its_own_id() {
    let (root, mut client) = fresh().await;
    for index in 0..100 {
        std::fs::write(root.path().join(format!("{index}.txt")), format!("text {index}")).unwrap();
    }
    client.request("initialize", json!({"protocolVersion": "2025-11-25", "capabilities": {}})).await;
    for index in 0..100 {
        let call = json!({"name": "read_text_file", "arguments": {"path": format!("{index}.txt")}});
        client
            .send(&json!({"jsonrpc": "2.0", "id": format!("r{index}"), "method": "tools/call", "params": call}))
            .await;
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let answer = client.receive().await;
        let id = answer["id"].as_str().unwrap().to_owned();
        assert_eq!(answer["result"]["content"][0]["text"], format!("text {}", &id[1..]));
        assert!(seen.insert(id));
    }
}

#[tokio::test]
async fn every_tool_says_what_it_takes_and_does() {
    let root = tempfile::tempdir().unwrap();
    let mut client = Client::start(files(&[root.path()], true)).await;
    let tools = client.request("tools/list", json!({})).await["result"]["tools"].clone();
    for tool in tools.as_array().unwrap() {
        let name = &tool["name"];
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
        assert!(tool["description"].as_str().unwrap().len() > 20, "{name}");
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{name} {hint}");
        }
        for (argument, schema) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(schema["description"].is_string(), "{name}.{argument} has no description");
        }
    }
}
