//! The configuration is followed: what changed is replaced, what did not goes on, and a bad file changes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::puppet::Puppet;
use crate::harness::{Client, Era, Hub, bad, everything, in_time, processes, until};
use crate::transports_down::{Sse, request, sessions};
use crate::websocket_down::Ws;

/// The pid of the server behind `parent__pids`.
async fn pid(client: &Client) -> i64 {
    let told: Value = serde_json::from_str(&client.text("parent__pids", json!({})).await).unwrap();
    told["self"].as_i64().unwrap()
}

async fn tools_are(client: &Client, what: &str, is_so: impl Fn(&[String]) -> bool) {
    until(what, 15, async || {
        let tools = client.tools().await;
        if is_so(&tools) { Ok(()) } else { Err(format!("{tools:?}")) }
    })
    .await;
}

fn has(tools: &[String], name: &str) -> bool {
    tools.iter().any(|tool| tool == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_servers_come_and_go_while_the_others_run() {
    let hub = Hub::with(json!({ "parent": bad(&["spawn-grandchild"]), "gone": bad(&["hang"]) }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    tools_are(&client, "both are there", |tools| has(tools, "gone__echo") && has(tools, "parent__pids")).await;
    let before = pid(&client).await;
    hub.reconfigure(json!({ "servers": { "parent": bad(&["spawn-grandchild"]), "new": everything(&[]) } }));
    tools_are(&client, "one went, one came", |tools| {
        !has(tools, "gone__echo") && has(tools, "new__test_simple_text") && has(tools, "parent__pids")
    })
    .await;
    assert_eq!(pid(&client).await, before, "the server that did not change was started anew");
    client.call("new__test_simple_text", json!({})).await;
    assert_eq!(client.error("tools/call", json!({ "name": "gone__echo", "arguments": {} })).await["code"], -32602);
    until("the process of the server that went ends", 10, async || {
        let left: Vec<_> = hub.processes().into_iter().filter(|process| process.command.contains("bad hang")).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;

    // A file that cannot be read, a key that is unknown, an entry that means nothing: the old one stays in force.
    let same = json!({ "parent": bad(&["spawn-grandchild"]), "new": everything(&[]) });
    for (file, word) in [
        ("servers: [\n".to_owned(), "omni.yaml"),
        (json!({ "servers": same, "sevrers": {} }).to_string(), "sevrers"),
        (
            json!({ "servers": { "x": { "description": "neither command nor url" } } }).to_string(),
            "one of them is needed",
        ),
    ] {
        let log = hub.log().len();
        std::fs::write(hub.config_file(), file).unwrap();
        until("the fault is told", 10, async || {
            let said = hub.log().split_off(log);
            if said.contains("not taken over") && said.contains(word) { Ok(()) } else { Err(said) }
        })
        .await;
        assert_eq!(pid(&client).await, before);
        client.call("new__test_simple_text", json!({})).await;
    }

    // Also SIGHUP asks for a look, and one entry's change replaces that server alone.
    hub.reconfigure(json!({ "servers": { "parent": bad(&["spawn-grandchild"]), "new": bad(&["garbage"]) } }));
    processes::signal(hub.pid, rustix::process::Signal::HUP);
    tools_are(&client, "the entry changed", |tools| has(tools, "new__echo") && !has(tools, "new__test_simple_text"))
        .await;
    assert_eq!(pid(&client).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_1_clients_hear_of_the_change() {
    let hub = Hub::with(json!({ "a": bad(&["hang"]) }));
    let legacy = Client::open(&hub, "/mcp", Era::Legacy).await;
    let modern = Client::open(&hub, "/mcp", Era::Modern).await;
    tools_are(&modern, "the first is there", |tools| has(tools, "a__echo")).await;
    let mut stream = legacy.stream().await;
    let params = json!({ "notifications": { "toolsListChanged": true } });
    let mut listen = modern.listen("subscriptions/listen", params).await;
    assert_eq!(listen.message().await["method"], "notifications/subscriptions/acknowledged");
    hub.reconfigure(json!({ "servers": { "a": bad(&["hang"]), "b": bad(&["garbage"]) } }));
    for (name, events) in [("GET", &mut stream), ("subscriptions/listen", &mut listen)] {
        let heard = in_time(name, async {
            loop {
                let message = events.message().await;
                if message["method"] == "notifications/tools/list_changed" {
                    return message;
                }
            }
        });
        let heard = heard.await;
        let has_id = heard["params"]["_meta"].get("io.modelcontextprotocol/subscriptionId").is_some();
        assert_eq!(has_id, name != "GET", "{heard}");
    }
    tools_are(&legacy, "the second is there", |tools| has(tools, "b__echo")).await;
}

/// That a server went is a change of the list like any other.
#[tokio::test(flavor = "multi_thread")]
async fn tool_1_clients_hear_that_a_server_went() {
    let hub = Hub::with(json!({ "a": bad(&["hang"]), "b": bad(&["garbage"]) }));
    let legacy = Client::open(&hub, "/mcp", Era::Legacy).await;
    tools_are(&legacy, "both are there", |tools| has(tools, "a__echo") && has(tools, "b__echo")).await;
    let mut stream = legacy.stream().await;
    hub.reconfigure(json!({ "servers": { "a": bad(&["hang"]) } }));
    let mut heard = stream.message().await;
    while heard["method"] != "notifications/tools/list_changed" || has(&legacy.tools().await, "b__echo") {
        heard = stream.message().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_1_modern_clients_hear_that_a_server_went() {
    let hub = Hub::with(json!({ "a": bad(&["hang"]), "b": bad(&["garbage"]) }));
    let modern = Client::open(&hub, "/mcp", Era::Modern).await;
    tools_are(&modern, "both are there", |tools| has(tools, "a__echo") && has(tools, "b__echo")).await;
    let params = json!({ "notifications": { "toolsListChanged": true } });
    let mut listen = modern.listen("subscriptions/listen", params).await;
    assert_eq!(listen.message().await["method"], "notifications/subscriptions/acknowledged");
    hub.reconfigure(json!({ "servers": { "a": bad(&["hang"]) } }));
    tools_are(&modern, "the second went", |tools| !has(tools, "b__echo")).await;
    let heard = tokio::time::timeout(Duration::from_secs(5), listen.message()).await;
    assert_eq!(heard.expect("nothing was said")["method"], "notifications/tools/list_changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_server_that_is_removed_while_it_starts_is_ended() {
    let hub = Hub::with(json!({ "slow": bad(&["slow-start", "3000"]), "a": bad(&["hang"]) }));
    let client = Client::open(&hub, "/mcp/a", Era::Modern).await;
    assert_eq!(client.text("echo", json!({ "text": "x" })).await, "x");
    let slow = || hub.processes().into_iter().filter(|process| process.command.contains("slow-start")).count();
    assert!(slow() > 0);
    hub.reconfigure(json!({ "servers": { "a": bad(&["hang"]) } }));
    until("its processes end", 20, async || if slow() == 0 { Ok(()) } else { Err(format!("{} left", slow())) }).await;
    assert_eq!(client.text("echo", json!({ "text": "x" })).await, "x");
}

/// Whoever talks to an endpoint that is removed is not left with a connection on which nothing comes any more: a call that runs
/// has its answer, then it ends, on every transport. Others hear nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_trb_4_what_is_open_at_a_removed_endpoint_ends() {
    let mut puppet = Puppet::start().await;
    let hub = Hub::with(json!({ "gone": puppet.entry(), "stays": bad(&["hang"]) }));
    let mut sse = Sse::open(&hub, "/sse/gone").await;
    sse.initialize().await;
    let mut staying = Sse::open(&hub, "/sse/stays").await;
    staying.initialize().await;
    let mut socket = Ws::begin(&hub, "/mcp/gone", "2025-06-18").await;
    let streamable = Client::open(&hub, "/mcp/gone", Era::Legacy).await;
    let mut stream = streamable.stream().await;
    let modern = Client::open(&hub, "/mcp/gone", Era::Modern).await;
    let listen = json!({ "notifications": { "toolsListChanged": true } });
    let mut listening = modern.listen("subscriptions/listen", listen).await;
    sessions(&hub, 4).await;

    sse.post(&request(7, "tools/call", &json!({ "name": "wait", "arguments": {} }))).await;
    let call = puppet.call().await;
    hub.reconfigure(json!({ "servers": { "stays": bad(&["hang"]) } }));
    until("the endpoint is gone", 20, async || {
        let status = streamable.ask("ping", json!({})).await.status;
        if status == 404 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    call.answer("late");
    assert_eq!(sse.message().await["id"], 7);
    sse.ended().await;
    socket.closed().await;
    while stream.event().await.is_some() {}
    while listening.event().await.is_some() {}
    sessions(&hub, 1).await;
    staying.post(&request(8, "ping", &json!({}))).await;
    assert_eq!(staying.message().await["id"], 8);
}
