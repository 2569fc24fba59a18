//! TOOL-2 and TOOL-7: what policy forbids is not listed and not called, by whatever name.

use serde_json::json;

use crate::harness::{Client, Era, Hub, bad, everything, until};

#[tokio::test(flavor = "multi_thread")]
async fn tool_2_what_is_denied_is_hidden_and_cannot_be_called_by_any_name() {
    let servers = json!({ "s": everything(&[]), "other": bad(&["hang"]) });
    let deny = json!(["s:test_simple_*", "s:test://static-binary", "other"]);
    let hub = Hub::configured(json!({ "servers": servers, "policy": { "deny": deny } }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        let tools = until("the lists are known", 10, async || {
            let tools = client.tools().await;
            if tools.is_empty() { Err("no tools".to_owned()) } else { Ok(tools) }
        })
        .await;
        assert!(tools.contains(&"s__test_error_handling".to_owned()), "{tools:?}");
        assert!(!tools.iter().any(|tool| tool.contains("test_simple_text") || tool.starts_with("other")), "{tools:?}");
        for name in ["s__test_simple_text", "s:test_simple_text", "other__echo", "other:echo"] {
            let answer = client.ask("tools/call", json!({ "name": name, "arguments": { "text": "x" } })).await;
            let error = &answer.json()["error"];
            let hidden = [403, -32602].contains(&error["code"].as_i64().unwrap());
            assert!(hidden, "{name}: {error}");
            assert_eq!((answer.status, &error["code"]), (403, &json!(403)), "{name}: {error}");
            assert!(error["message"].as_str().unwrap().contains("policy.deny"), "{error}");
        }
        assert!(client.text("s:test_tool_with_logging", json!({})).await.len() > 1);
        let (uris, _) = client.list("resources/list", "resources", "uri").await;
        assert!(!uris.contains(&"test://static-binary".to_owned()), "{uris:?}");
        let answer = client.ask("resources/read", json!({ "uri": "test://static-binary" })).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!(403)));
        let (prompts, _) = client.list("prompts/list", "prompts", "name").await;
        assert!(!prompts.contains(&"s__test_simple_prompt".to_owned()), "{prompts:?}");
        let answer = client.ask("prompts/get", json!({ "name": "s__test_simple_prompt" })).await;
        assert_eq!(answer.json()["error"]["code"], 403, "{answer:?}");
        // Nor is a second name beside the one that is judged.
        let argument = json!({ "name": "arg1", "value": "" });
        let both = json!({
            "name": "s__test_prompt_with_arguments",
            "ref": { "type": "ref/prompt", "name": "s__test_simple_prompt" },
            "argument": argument,
        });
        assert_eq!(client.error("completion/complete", both).await["code"], -32602);
        // The endpoint of one server is no way around.
        let alone = Client::open(&hub, "/mcp/s", era).await;
        assert!(!alone.tools().await.contains(&"test_simple_text".to_owned()));
        let answer = alone.ask("tools/call", json!({ "name": "test_simple_text", "arguments": {} })).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (403, &json!(403)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_2_what_no_rule_allows_is_denied() {
    let servers = json!({ "s": everything(&[]) });
    let policy = json!({ "allow": ["s:test_error_*"] });
    let hub = Hub::configured(json!({ "servers": servers, "policy": policy }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    assert_eq!(client.tools().await, ["s__test_error_handling"]);
    let error = client.error("tools/call", json!({ "name": "s__test_simple_text", "arguments": {} })).await;
    assert_eq!(error["code"], 403);
    assert!(error["message"].as_str().unwrap().contains("policy.allow"), "{error}");
}
