//! GW-1: a client of one era in front of a server of the other.

use serde_json::{Value, json};

use crate::harness::{Client, Era, HttpFixture, Hub, everything};

/// The fixture in one era, on both transports, with the other era's client at both endpoints.
async fn crossed(server_era: &str, client_era: Era, look: impl AsyncFn(&Client, &str)) {
    let web = HttpFixture::start(&["--era", server_era]);
    let hub = Hub::with(json!({ "web": web.entry(), "pipe": everything(&["--era", server_era]) }));
    for server in ["web", "pipe"] {
        eprintln!("{server} of the {server_era} era, a client of the {client_era:?} one");
        look(&Client::open(&hub, &format!("/mcp/{server}"), client_era).await, "").await;
        look(&Client::open(&hub, "/mcp", client_era).await, &format!("{server}__")).await;
    }
}

/// What is plain request and answer, in any era.
async fn look(client: &Client, prefix: &str, era: Era) {
    let named = |name: &str| format!("{prefix}{name}");
    assert!(client.tools().await.contains(&named("test_simple_text")));
    let result = client.call(&named("test_simple_text"), json!({})).await;
    assert_eq!(result["content"][0]["text"], "This is a simple text response for testing.");
    let marks_of_the_modern_era = |result: &Value| result.get("resultType").is_some();
    assert_eq!(marks_of_the_modern_era(&result), era == Era::Modern, "{result}");
    let failed = client.result("tools/call", json!({ "name": named("test_error_handling"), "arguments": {} })).await;
    assert_eq!(failed["isError"], true, "{failed}");

    let (uris, _) = client.list("resources/list", "resources", "uri").await;
    let uri = uris.iter().find(|uri| uri.ends_with("static-text")).unwrap();
    let read = client.result("resources/read", json!({ "uri": uri })).await;
    assert_eq!(read["contents"][0]["text"], "This is the content of the static text resource.");
    assert_eq!(marks_of_the_modern_era(&read), era == Era::Modern, "{read}");
    let arguments = json!({ "arg1": "one", "arg2": "two" });
    let params = json!({ "name": named("test_prompt_with_arguments"), "arguments": arguments });
    let prompt = client.result("prompts/get", params).await;
    let text = prompt["messages"][0]["content"]["text"].as_str().unwrap();
    assert_eq!(text, "Prompt with arguments: arg1='one', arg2='two'");
    let reference = json!({ "type": "ref/prompt", "name": named("test_prompt_with_arguments") });
    let params = json!({ "ref": reference, "argument": { "name": "arg1", "value": "par" } });
    let completion = client.result("completion/complete", params).await;
    assert_eq!(completion["completion"]["values"], json!(["paris", "park", "party"]));
    let params =
        json!({ "name": named("test_tool_with_progress"), "arguments": {}, "_meta": { "progressToken": "t" } });
    let mut events = client.listen("tools/call", params).await;
    let progress = events.message().await;
    assert_eq!(
        (&progress["method"], &progress["params"]["progressToken"]),
        (&json!("notifications/progress"), &json!("t"))
    );

    for name in ["no_such_tool", "s__no_such_tool"] {
        let error = client.error("tools/call", json!({ "name": named(name), "arguments": {} })).await;
        assert_eq!(error["code"], -32602, "{error}");
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
    }
    // Each era has its own code for it.
    let code = if era == Era::Modern { -32602 } else { -32002 };
    // The first the hub knows to be nowhere; the second fits a template, and the server says so.
    for uri in ["test://nowhere", "nowhere://at/all"] {
        let error = client.error("resources/read", json!({ "uri": uri })).await;
        assert_eq!(error["code"], code, "{uri}: {error}");
        assert_eq!(error["data"]["uri"], uri, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_modern_client_in_front_of_legacy_servers() {
    crossed("legacy", Era::Modern, async |client, prefix| {
        look(client, prefix, Era::Modern).await;
        // What a server asks of its client in the legacy way cannot be carried to a modern one: the server hears so,
        // and says what became of it.
        for tool in ["test_elicitation", "test_sampling"] {
            let arguments = json!({ "message": "m", "prompt": "p" });
            let params = json!({ "name": format!("{prefix}{tool}"), "arguments": arguments });
            let response = client.response("tools/call", params).await;
            let told = response.to_string();
            assert!(response["result"]["isError"] == true || response.get("error").is_some(), "{tool}: {told}");
        }
        let answer = client.ask("logging/setLevel", json!({ "level": "info" })).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!(-32601)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_legacy_client_in_front_of_modern_servers() {
    crossed("modern", Era::Legacy, async |client, prefix| {
        look(client, prefix, Era::Legacy).await;
        let params = json!({ "name": format!("{prefix}test_input_required_result_elicitation"), "arguments": {} });
        let response = client.response("tools/call", params).await;
        let told = response.to_string();
        assert!(response["result"]["isError"] == true || response.get("error").is_some(), "{told}");
        assert!(!told.contains("input_required"), "a legacy client cannot read this: {told}");
        assert_eq!(client.result("logging/setLevel", json!({ "level": "info" })).await, json!({}));
        assert_eq!(client.result("ping", json!({})).await, json!({}));
    })
    .await;
}

/// Where both speak the same era, the other one's methods are not there.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_methods_of_the_legacy_era_are_unknown_to_modern_clients() {
    let hub = Hub::with(json!({ "both": everything(&[]) }));
    for path in ["/mcp", "/mcp/both"] {
        let client = Client::open(&hub, path, Era::Modern).await;
        for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe"] {
            let error = client.error(method, json!({ "uri": "test://static-text", "level": "info" })).await;
            assert_eq!(error["code"], -32601, "{method}: {error}");
        }
        let discovered = client.result("server/discover", json!({})).await;
        assert!(discovered["supportedVersions"].to_string().contains("2026-07-28"), "{discovered}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_methods_of_the_modern_era_are_unknown_in_a_session() {
    let hub = Hub::with(json!({ "both": everything(&[]) }));
    for path in ["/mcp", "/mcp/both"] {
        let client = Client::open(&hub, path, Era::Legacy).await;
        for method in ["server/discover", "subscriptions/listen"] {
            let params = json!({ "notifications": { "toolsListChanged": true } });
            let error = client.error(method, params).await;
            assert_eq!(error["code"], -32601, "{method}: {error}");
        }
    }
}
