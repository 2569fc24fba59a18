//! EMG-1: a server that keeps failing is left alone, told so everywhere, and tried out again; its slowness is its own.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::scripted::{Act, End, Scripted};
use crate::harness::{Client, Era, Hub, everything, hub, until};

fn fault() -> Value {
    json!({ "name": "flaky__fault", "arguments": {} })
}

async fn fails(client: &Client) -> Value {
    client.error("tools/call", fault()).await
}

async fn none_in_flight(hub: &Hub, server: &str) {
    until("no call is in flight", 10, async || {
        let status = hub.server(server).await;
        if status["calls"] == 0 && status["calls_waiting"] == 0 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

async fn in_flight(hub: &Hub, server: &str, calls: u64, waiting: u64) {
    until("so many calls are in flight", 10, async || {
        let status = hub.server(server).await;
        let as_wanted = status["calls"] == calls && status["calls_waiting"] == waiting;
        if as_wanted { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

/// What `omni servers` prints of the hub that runs: it asks the one that listens where its file says.
fn servers(hub: &Hub, servers: &Value, more: &[&str]) -> String {
    let file = hub.home.path().join("asking.yaml");
    let config = json!({ "servers": servers, "gateway": { "listen": hub.address.to_string() } });
    std::fs::write(&file, config.to_string()).unwrap();
    let mut command = hub::command(&hub.home);
    command.arg("servers").args(more).args(["--config"]).arg(file);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_breaker_opens_is_told_everywhere_and_closes_when_the_server_is_back() {
    for era in Era::BOTH {
        let server = Scripted::start(era, false).await;
        let mut entry = server.entry();
        entry["breaker"] = json!({ "failures": 3, "open_s": 3 });
        let all = json!({ "flaky": entry, "good": everything(&[]) });
        let hub = Hub::with(all.clone());
        let client = Client::open(&hub, "/mcp", era).await;
        assert_eq!(client.text("flaky__fault", json!({})).await, "good");
        server.does(Act::raw("", End::Reset));
        for failures in 1..=3 {
            let error = fails(&client).await;
            assert_eq!((&error["code"], &error["data"]["server"]), (&json!(503), &json!("flaky")), "{error}");
            let state = if failures < 3 { "closed" } else { "open" };
            assert_eq!(error["data"]["state"], state, "{error}");
        }
        let before = server.requests();
        let error = fails(&client).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("`flaky`") && message.contains("next attempt in"), "{error}");
        assert_eq!((&error["data"]["reason"], &error["data"]["state"]), (&json!("open"), &json!("open")), "{error}");
        assert!((1..=3000).contains(&error["data"]["retryAfterMs"].as_u64().unwrap()), "{error}");
        assert_eq!(server.requests(), before, "a call went through an open breaker");
        let status = hub.server("flaky").await;
        assert_eq!((&status["state"], &status["breaker"]["state"]), (&json!("failing"), &json!("open")), "{status}");
        assert_eq!(hub.ready().await["status"], "degraded");
        let table = servers(&hub, &all, &[]);
        let line =
            table.lines().find(|line| line.trim_start().starts_with("flaky")).unwrap_or_else(|| panic!("{table}"));
        assert!(line.contains("failing (open, again in "), "{table}");
        let told: Value = serde_json::from_str(&servers(&hub, &all, &["--json", "flaky"])).unwrap();
        assert_eq!(told[0]["breaker"]["state"], "open", "{told}");
        client.call("good__test_simple_text", json!({})).await;

        server.does(Act::Good);
        until("a call tries the server out", 20, async || {
            let response = client.response("tools/call", fault()).await;
            response.get("result").map(|_| ()).ok_or(response.to_string())
        })
        .await;
        let status = hub.server("flaky").await;
        assert_eq!((&status["state"], &status["breaker"]["state"]), (&json!("ready"), &json!("closed")), "{status}");
        assert_eq!(status["breaker"]["opened"], 1);
        none_in_flight(&hub, "flaky").await;
    }
}

/// A timeout counts, and the call that tries the server out opens the breaker again when it fails.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_silent_server_opens_it_and_a_failed_probe_opens_it_again() {
    let server = Scripted::start(Era::Modern, false).await;
    let mut entry = server.entry();
    entry["timeout_s"] = json!(1);
    // Key by key, an entry goes before the defaults.
    entry["breaker"] = json!({ "open_s": 1 });
    let defaults = json!({ "breaker": { "failures": 2, "open_s": 600 } });
    let hub = Hub::configured(json!({ "servers": { "flaky": entry }, "server_defaults": defaults }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    server.does(Act::never());
    for _ in 0..2 {
        assert_eq!(fails(&client).await["code"], 504);
    }
    let mut opened = 1;
    until("the probes fail", 30, async || {
        fails(&client).await;
        opened = hub.server("flaky").await["breaker"]["opened"].as_u64().unwrap();
        if opened >= 3 { Ok(()) } else { Err(opened.to_string()) }
    })
    .await;
    server.does(Act::Good);
    until("it is back", 20, async || {
        let response = client.response("tools/call", fault()).await;
        response.get("result").map(|_| ()).ok_or(response.to_string())
    })
    .await;
}

/// What a tool says of its own failure is an answer.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_servers_own_errors_leave_it_closed() {
    let server = Scripted::start(Era::Modern, false).await;
    let mut entry = server.entry();
    entry["breaker"] = json!({ "failures": 1 });
    let hub = Hub::with(json!({ "flaky": entry }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let json = "content-type: application/json\r\n";
    let wrong = r#"{"jsonrpc":"2.0","id":$ID,"error":{"code":-32603,"message":"its own"}}"#;
    server.does(Act::http("200 OK", json, wrong));
    assert_eq!(fails(&client).await["message"], "its own");
    server.does(Act::http("400 Bad Request", json, wrong));
    assert_eq!(fails(&client).await["message"], "its own");
    let result = r#"{"jsonrpc":"2.0","id":$ID,"result":{"resultType":"complete","isError":true,"content":[]}}"#;
    server.does(Act::http("200 OK", json, result));
    assert_eq!(client.result("tools/call", fault()).await["isError"], true);
    server.does(Act::http("403 Forbidden", "content-type: text/plain\r\n", "not you"));
    assert!(fails(&client).await["message"].as_str().unwrap().contains("not you"));
    assert_eq!(hub.server("flaky").await["breaker"]["state"], "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_slow_server_fills_its_own_places_and_who_waits_there_is_told() {
    let server = Scripted::start(Era::Modern, false).await;
    let mut entry = server.entry();
    entry["bulkhead"] = json!({ "calls_max": 2, "waiting_max": 1, "wait_s": 2 });
    let hub = Hub::with(json!({ "flaky": entry, "good": everything(&[]) }));
    let client = std::sync::Arc::new(Client::open(&hub, "/mcp", Era::Modern).await);
    assert_eq!(client.text("flaky__fault", json!({})).await, "good");
    server.does(Act::never());
    let call = || {
        let client = std::sync::Arc::clone(&client);
        tokio::spawn(async move { client.response("tools/call", fault()).await })
    };
    let held = [call(), call()];
    in_flight(&hub, "flaky", 2, 0).await;
    let waiting = call();
    in_flight(&hub, "flaky", 2, 1).await;
    let refused = client.ask("tools/call", fault()).await;
    let error = refused.json()["error"].clone();
    assert_eq!((refused.status, &error["code"]), (429, &json!(429)), "{error}");
    assert_eq!(
        (&error["data"]["server"], &error["data"]["reason"]),
        (&json!("flaky"), &json!("overloaded")),
        "{error}"
    );
    client.call("good__test_simple_text", json!({})).await;
    let error = waiting.await.unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("within 2 s"), "{error}");
    // It was never a failure of the server's.
    assert_eq!(hub.server("flaky").await["breaker"]["state"], "closed");
    let next = call();
    in_flight(&hub, "flaky", 2, 1).await;
    server.does(Act::Good);
    server.release();
    for call in held.into_iter().chain([next]) {
        assert!(call.await.unwrap().get("result").is_some());
    }
    none_in_flight(&hub, "flaky").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_call_in_flight_at_a_server_that_is_removed_finishes_or_is_told() {
    for finishes in [true, false] {
        let server = Scripted::start(Era::Modern, false).await;
        let servers = json!({ "flaky": server.entry(), "good": everything(&[]) });
        let gateway = json!({ "drain_timeout_s": if finishes { 60 } else { 1 } });
        let hub = Hub::configured(json!({ "servers": servers, "gateway": gateway }));
        let client = Client::open(&hub, "/mcp", Era::Modern).await;
        assert_eq!(client.text("flaky__fault", json!({})).await, "good");
        server.does(Act::never());
        let call = tokio::spawn(async move { client.response("tools/call", fault()).await });
        in_flight(&hub, "flaky", 1, 0).await;
        hub.reconfigure(json!({ "servers": { "good": everything(&[]) }, "gateway": gateway }));
        until("it is gone", 10, async || {
            let ready = hub.ready().await;
            if ready["servers"].as_array().unwrap().len() == 1 { Ok(()) } else { Err(ready.to_string()) }
        })
        .await;
        if finishes {
            server.release();
        }
        let response = call.await.unwrap();
        if finishes {
            assert_eq!(response["result"]["content"][0]["text"], "good", "{response}");
        } else {
            let message = response["error"]["message"].as_str().unwrap_or_else(|| panic!("{response}"));
            assert!(message.contains("`flaky`") && message.contains("was stopped"), "{message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_call_in_flight_when_the_hub_is_asked_to_stop_is_told_in_time() {
    let server = Scripted::start(Era::Modern, false).await;
    let servers = json!({ "flaky": server.entry() });
    let mut hub = Hub::configured(json!({ "servers": servers, "gateway": { "drain_timeout_s": 1 } }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    assert_eq!(client.text("flaky__fault", json!({})).await, "good");
    server.does(Act::never());
    let call = tokio::spawn(async move { client.response("tools/call", fault()).await });
    in_flight(&hub, "flaky", 1, 0).await;
    hub.terminate();
    let response = tokio::time::timeout(Duration::from_secs(20), call).await.expect("the call is told").unwrap();
    let message = response["error"]["message"].as_str().unwrap_or_else(|| panic!("{response}"));
    assert!(message.contains("`flaky`") && message.contains("was stopped"), "{message}");
    assert_eq!(hub.stopped(), Some(0));
}
