//! EMG-1: a connection that is reset at any byte of an exchange is told clearly, nothing is sent twice, nothing is left.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::scripted::{Act, Scripted};
use crate::harness::{Client, Era, Hub, everything, processes, until};

/// For a call whose connection was reset: far below its timeout, far above what a busy machine needs.
const TOLD_WITHIN: Duration = Duration::from_secs(20);
/// Descriptors that may have come without being a leak.
const DESCRIPTORS_MORE: usize = 8;
/// After how many resets the server is looked at again.
const LOOK_EVERY: usize = 50;

/// The calls that reached the server whole, each of which may come once.
fn assert_none_twice(server: &Scripted) {
    let mut ids: Vec<String> = Vec::new();
    for body in server.calls() {
        let message: Value = serde_json::from_str(&body).unwrap();
        let mark = message["params"]["arguments"]["mark"].to_string();
        assert!(!ids.contains(&mark), "call {mark} came twice");
        ids.push(mark);
    }
}

/// Resets at each byte up to the first that is too many for one; how many there were.
async fn at_every_byte(server: &Scripted, hub: &Hub, client: &Client, act: impl Fn(usize) -> Act) -> usize {
    let good = json!([{ "type": "text", "text": "good" }]);
    for at in 0.. {
        server.does(act(at));
        let began = Instant::now();
        let mark = format!("{:?}", act(at));
        let params = json!({ "name": "flaky__fault", "arguments": { "mark": mark } });
        let response = client.response("tools/call", params).await;
        assert!(began.elapsed() < TOLD_WITHIN, "{mark}: told after {:?}", began.elapsed());
        server.does(Act::Good);
        if response["result"]["content"] == good {
            // The whole answer arrived: there is no byte left at which to break it, or the last does not matter.
            return at;
        }
        let error = &response["error"];
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{mark}: {response}"));
        assert!(message.contains("`flaky`"), "{mark}: {message}");
        assert!([502, 503].contains(&error["code"].as_i64().unwrap()), "{mark}: {error}");
        if at % LOOK_EVERY == 0 {
            assert_eq!(client.text("flaky__echo", json!({})).await, "good", "after {mark}");
            client.call("good__test_simple_text", json!({})).await;
            assert_eq!(hub.server("flaky").await["state"], "ready");
        }
    }
    unreachable!()
}

async fn reset_everywhere(era: Era, streams: bool) {
    let server = Scripted::start(era, streams).await;
    let mut entry = server.entry();
    // Hundreds of failures in a row are what is wanted here.
    entry["breaker"] = json!({ "failures": 0 });
    entry["pool"] = json!({ "initial": 0, "size": 1, "max": 4 });
    let hub = Hub::configured(json!({
        "servers": { "flaky": entry, "good": everything(&[]) }, "log": { "level": "error" },
    }));
    let client = Client::open(&hub, "/mcp", era).await;
    assert_eq!(client.text("flaky__echo", json!({})).await, "good");
    client.call("good__test_simple_text", json!({})).await;
    let before = (processes::descriptors(hub.pid), hub.processes().len());
    let requests = at_every_byte(&server, &hub, &client, Act::ResetReading).await;
    let answers = at_every_byte(&server, &hub, &client, Act::ResetWriting).await;
    // Neither would be worth much if it had ended at the first byte.
    assert!(requests > 300 && answers > 100, "{requests} bytes of requests, {answers} of answers");
    assert_none_twice(&server);
    // The last connection is reset after its whole answer arrived: a call that meets that on its way is told, not sent again.
    until("it serves again", 10, async || {
        let response = client.response("tools/call", json!({ "name": "flaky__echo", "arguments": {} })).await;
        response.get("result").map(|_| ()).ok_or(response.to_string())
    })
    .await;
    until("all is given back", 20, async || {
        let status = hub.server("flaky").await;
        let now = (processes::descriptors(hub.pid), hub.processes().len());
        let back = status["calls"] == 0 && now.0 <= before.0 + DESCRIPTORS_MORE && now.1 == before.1;
        if back { Ok(()) } else { Err(format!("before {before:?}, now {now:?}: {status}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_reset_at_every_byte_legacy_json() {
    reset_everywhere(Era::Legacy, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_reset_at_every_byte_legacy_stream() {
    reset_everywhere(Era::Legacy, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_reset_at_every_byte_modern_json() {
    reset_everywhere(Era::Modern, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_reset_at_every_byte_modern_stream() {
    reset_everywhere(Era::Modern, true).await;
}
