//! TOOL-1: what servers say of their own accord reaches whom it concerns, and nobody else.

use serde_json::{Value, json};

use crate::harness::http::Events;
use crate::harness::{Client, Era, HttpFixture, Hub, bad, everything, in_time, until};

/// The next message of this method.
async fn next(events: &mut Events, method: &str) -> Value {
    in_time(method, async {
        loop {
            let message = events.message().await;
            if message["method"] == method {
                return message;
            }
        }
    })
    .await
}

async fn listening(client: &Client) -> Events {
    let wanted = json!({ "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true });
    let mut events = client.listen("subscriptions/listen", json!({ "notifications": wanted })).await;
    assert_eq!(events.message().await["method"], "notifications/subscriptions/acknowledged");
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_1_changed_lists_are_told_and_shown() {
    for era in ["legacy", "modern"] {
        let web = HttpFixture::start(&["--era", era]);
        changed_lists(web.entry()).await;
    }
    changed_lists(everything(&["--era", "legacy"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_1_changed_lists_of_a_modern_stdio_server_are_told_and_shown() {
    changed_lists(everything(&["--era", "modern"])).await;
}

/// Changes each list of a server, and hears of it as a client of either era.
async fn changed_lists(entry: Value) {
    let server = "s";
    let hub = Hub::with(json!({ "s": entry }));
    hub.awake().await;
    let legacy = Client::open(&hub, "/mcp", Era::Legacy).await;
    let modern = Client::open(&hub, &format!("/mcp/{server}"), Era::Modern).await;
    legacy.call(&format!("{server}__test_simple_text"), json!({})).await;
    let (mut stream, mut listen) = (legacy.stream().await, listening(&modern).await);
    for (kind, list, member, key, extra) in [
        ("tool", "tools", "tools", "name", "test_extra_tool"),
        ("prompt", "prompts", "prompts", "name", "test_extra_prompt"),
        ("resource", "resources", "resources", "uri", "test://extra-resource"),
    ] {
        let method = format!("notifications/{list}/list_changed");
        modern.call(&format!("test_trigger_{kind}_change"), json!({})).await;
        // One that was on its way already may come first: what counts is that one comes after the change.
        let shows = async |client: &Client| {
            let (names, _) = client.list(&format!("{list}/list"), member, key).await;
            names.iter().any(|name| name.ends_with(extra))
        };
        next(&mut stream, &method).await;
        while !shows(&legacy).await {
            next(&mut stream, &method).await;
        }
        next(&mut listen, &method).await;
        while !shows(&modern).await {
            next(&mut listen, &method).await;
        }
        // And away again, for the next round.
        modern.call(&format!("test_trigger_{kind}_change"), json!({})).await;
        next(&mut listen, &method).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_1_updates_of_a_resource_reach_those_who_subscribed() {
    let web = HttpFixture::start(&["--era", "legacy"]);
    let hub = Hub::with(json!({ "web": web.entry(), "pipe": everything(&["--era", "legacy"]) }));
    hub.awake().await;
    for server in ["web", "pipe"] {
        let path = format!("/mcp/{server}");
        let (one, other) = (Client::open(&hub, &path, Era::Legacy).await, Client::open(&hub, &path, Era::Legacy).await);
        let (mut hears, mut does_not) = (one.stream().await, other.stream().await);
        let uri = json!({ "uri": "test://watched-resource" });
        assert_eq!(one.result("resources/subscribe", uri.clone()).await, json!({}));
        one.call("test_trigger_resource_update", uri.clone()).await;
        let updated = next(&mut hears, "notifications/resources/updated").await;
        assert_eq!(updated["params"]["uri"], uri["uri"], "{server}");
        // The next thing that the other one hears is a change of a list, which is told to all.
        one.call("test_trigger_tool_change", json!({})).await;
        loop {
            let message = does_not.message().await;
            assert_ne!(message["method"], "notifications/resources/updated", "{server}");
            if message["method"] == "notifications/tools/list_changed" {
                break;
            }
        }
        assert_eq!(one.result("resources/unsubscribe", uri).await, json!({}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_1_log_lines_reach_the_session_that_asked_for_them() {
    let web = HttpFixture::start(&["--era", "legacy"]);
    let hub = Hub::with(json!({ "web": web.entry(), "pipe": everything(&["--era", "legacy"]) }));
    hub.awake().await;
    for server in ["web", "pipe"] {
        let client = Client::open(&hub, "/mcp", Era::Legacy).await;
        assert_eq!(client.result("logging/setLevel", json!({ "level": "info" })).await, json!({}));
        // Over HTTP a server may say them in the answer's stream or in the session's own, and the hub carries both.
        let mut stream = client.stream().await;
        let answer = client.ask("tools/call", json!({ "name": format!("{server}__test_tool_with_logging") })).await;
        let messages = answer.messages();
        let mut lines = messages.iter().filter(|message| message.contains("notifications/message")).count();
        while lines < 3 {
            let line = next(&mut stream, "notifications/message").await;
            assert_eq!(line["params"]["level"], "info", "{server}: {line}");
            lines += 1;
        }
    }
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    assert_eq!(client.error("logging/setLevel", json!({ "level": "loud" })).await["code"], -32602);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_cancelled_or_abandoned_call_is_forgotten() {
    let hub = Hub::with(json!({ "hang": bad(&["hang"]) }));
    let calls = async |wanted: u64| {
        until("the number of calls in flight", 10, async || {
            let calls = hub.server("hang").await["calls"].as_u64().unwrap();
            if calls == wanted { Ok(()) } else { Err(format!("{calls}, not {wanted}")) }
        })
        .await;
    };
    let params = json!({ "name": "hang__misbehave", "arguments": {} });
    for era in Era::BOTH {
        let client = std::sync::Arc::new(Client::open(&hub, "/mcp", era).await);
        assert_eq!(client.text("hang__echo", json!({ "text": "x" })).await, "x");
        // The client hangs up: with 2026-07-28 that is how a call is cancelled, before it is at least no leak.
        let waiting = tokio::spawn({
            let (client, params) = (std::sync::Arc::clone(&client), params.clone());
            async move { client.ask("tools/call", params).await }
        });
        calls(1).await;
        if era == Era::Modern {
            waiting.abort();
            let _cancelled = waiting.await;
        } else {
            let (body, _) = client.message("tools/call", params.clone());
            let sent: Value = serde_json::from_str(&body).unwrap();
            let id = sent["id"].as_u64().unwrap() - 1;
            let cancelled =
                json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
            // What is in flight may still be the hub's own question for the catalog, and the call not begun.
            while !waiting.is_finished() {
                assert_eq!(client.post(&cancelled.to_string(), &[]).await.status, 202);
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            let answer = in_time("the cancelled call", waiting).await.unwrap();
            assert!(answer.messages().is_empty(), "{answer:?}");
        }
        calls(0).await;
        assert_eq!(client.text("hang__echo", json!({ "text": "x" })).await, "x");
    }
}

/// Every client counts its requests from one, as most do.
#[tokio::test(flavor = "multi_thread")]
async fn pool_1_answers_of_many_clients_on_one_process_are_never_mixed_up() {
    let mut multiplied = bad(&["garbage"]);
    multiplied["sharing"] = json!("multiplied");
    let hub = Hub::with(json!({ "one": bad(&["hang"]), "many": multiplied }));
    let hub = std::sync::Arc::new(hub);
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..16 {
        let hub = std::sync::Arc::clone(&hub);
        clients.spawn(async move {
            let client = Client::open(&hub, "/mcp", Era::BOTH[number % 2]).await;
            for call in 0..25 {
                let tool = ["one__echo", "many__echo"][call % 2];
                let own = format!("client {number}, call {call}");
                assert_eq!(client.text(tool, json!({ "text": own })).await, own);
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_1_resources_of_one_uri_are_told_apart() {
    let hub = Hub::with(json!({ "a": everything(&[]), "b": everything(&[]), "c": everything(&[]) }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        let (uris, _) = client.list("resources/list", "resources", "uri").await;
        assert_eq!(uris.len(), 9, "{uris:?}");
        for uri in &uris {
            let read = client.result("resources/read", json!({ "uri": uri })).await;
            assert_eq!(read["contents"][0]["uri"], *uri, "{read}");
        }
        let (templates, _) = client.list("resources/templates/list", "resourceTemplates", "uriTemplate").await;
        assert_eq!(templates.len(), 3, "{templates:?}");
        for template in &templates {
            let uri = template.replace("{id}", "7");
            let read = client.result("resources/read", json!({ "uri": uri })).await;
            assert_eq!(read["contents"][0]["uri"], uri, "{read}");
        }
    }
}

/// Sessions end with the server that held them; the hub's clients do not notice.
#[tokio::test(flavor = "multi_thread")]
async fn pool_1_a_server_behind_http_may_be_started_anew() {
    for server_era in ["legacy", "modern"] {
        let first = HttpFixture::start(&["--era", server_era]);
        let hub = Hub::with(json!({ "web": first.entry() }));
        let address = first.address();
        let mut clients = Vec::new();
        for era in Era::BOTH {
            let client = Client::open(&hub, "/mcp", era).await;
            client.call("web__test_simple_text", json!({})).await;
            clients.push(client);
        }
        drop(first);
        for client in &clients {
            let error = client.error("tools/call", json!({ "name": "web__test_simple_text" })).await;
            assert!(error["message"].as_str().unwrap().contains("`web`"), "{error}");
        }
        let _second = HttpFixture::start_at(&address, &["--era", server_era]);
        for client in &clients {
            until("the call is answered again", 20, async || {
                let response = client.response("tools/call", json!({ "name": "web__test_simple_text" })).await;
                if response.get("result").is_some() { Ok(()) } else { Err(response.to_string()) }
            })
            .await;
        }
    }
}
