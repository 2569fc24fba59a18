//! GW-1, EMG-1: a server that comes back speaking another era, or knows nothing of the conversation any more.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::scripted::{Act, Scripted};
use crate::harness::{Client, Era, Hub, fixture, processes, until};

const fn other(era: Era) -> Era {
    match era {
        Era::Legacy => Era::Modern,
        Era::Modern => Era::Legacy,
    }
}

fn marked(mark: &str) -> Value {
    json!({ "name": "web__fault", "arguments": { "mark": mark } })
}

/// How often the call with this mark was taken.
fn taken(server: &Scripted, mark: &str) -> usize {
    server.calls().iter().filter(|body| body.contains(&format!("\"{mark}\""))).count()
}

/// The very first call after the change is answered, and was made once.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_server_that_comes_back_in_the_other_era_at_its_address_is_met_anew() {
    for (first, client_era) in Era::BOTH.into_iter().flat_map(|first| Era::BOTH.map(|client| (first, client))) {
        let server = Scripted::start(first, false).await;
        let hub = Hub::with(json!({ "web": server.entry() }));
        let client = Client::open(&hub, "/mcp", client_era).await;
        let result = client.result("tools/call", marked("before")).await;
        assert_eq!(result["content"][0]["text"], "good");
        server.speaks(other(first));
        let result = client.result("tools/call", marked("after")).await;
        assert_eq!(result["content"][0]["text"], "good", "{first:?} for {client_era:?}");
        assert_eq!((taken(&server, "before"), taken(&server, "after")), (1, 1));
        let status = hub.server("web").await;
        assert_eq!(status["revisions"], json!([other(first).version()]), "{status}");
        assert_eq!((&status["state"], &status["breaker"]["failures"]), (&json!("ready"), &json!(0)), "{status}");
    }
}

/// As the TypeScript SDK says it after a restart: 400, "Server not initialized".
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_server_that_forgot_its_session_is_greeted_again() {
    for client_era in Era::BOTH {
        let server = Scripted::start(Era::Legacy, false).await;
        let hub = Hub::with(json!({ "web": server.entry() }));
        let client = Client::open(&hub, "/mcp", client_era).await;
        client.result("tools/call", marked("before")).await;
        server.forgets();
        let result = client.result("tools/call", marked("after")).await;
        assert_eq!(result["content"][0]["text"], "good");
        assert_eq!(taken(&server, "after"), 1);
    }
}

/// A refusal that has nothing to do with the era is the client's to see, and the call is made once.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_refusal_of_the_right_era_is_handed_on() {
    for era in Era::BOTH {
        let server = Scripted::start(era, false).await;
        let hub = Hub::with(json!({ "web": server.entry() }));
        let client = Client::open(&hub, "/mcp", era).await;
        client.result("tools/call", marked("before")).await;
        let refusal = r#"{"jsonrpc":"2.0","id":$ID,"error":{"code":-32600,"message":"not like this"}}"#;
        server.does(Act::http("400 Bad Request", "content-type: application/json\r\n", refusal));
        for mark in ["one", "two"] {
            assert_eq!(client.error("tools/call", marked(mark)).await["message"], "not like this");
            assert_eq!(taken(&server, mark), 1);
        }
        server.does(Act::http("422 Unprocessable Content", "content-type: text/plain\r\n", "no such thing"));
        let error = client.error("tools/call", marked("three")).await;
        assert!(error["message"].as_str().unwrap().contains("no such thing"), "{error}");
        assert_eq!(taken(&server, "three"), 1);
    }
}

/// A tool that ran and failed in the words of a server that forgot its session is not run again.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_call_that_ran_is_not_made_again_whatever_its_error_says() {
    for (era, status) in Era::BOTH.into_iter().flat_map(|era| ["200 OK", "400 Bad Request"].map(|status| (era, status)))
    {
        let server = Scripted::start(era, false).await;
        let hub = Hub::with(json!({ "web": server.entry() }));
        let client = Client::open(&hub, "/mcp", era).await;
        client.result("tools/call", marked("before")).await;
        let failed = r#"{"jsonrpc":"2.0","id":$ID,"error":{"code":-32000,"message":"Server not initialized"}}"#;
        server.does(Act::http(status, "content-type: application/json\r\n", failed));
        assert_eq!(client.error("tools/call", marked("ran")).await["message"], "Server not initialized");
        assert_eq!(taken(&server, "ran"), 1, "{era:?}, {status}");
    }
}

/// The same command, replaced by a newer (or older) version of itself, and started anew.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_program_that_was_replaced_by_one_of_the_other_era_is_met_anew() {
    let folder = tempfile::tempdir().unwrap();
    for (first, client_era) in Era::BOTH.into_iter().flat_map(|first| Era::BOTH.map(|client| (first, client))) {
        let file = folder.path().join(format!("era-{first:?}-{client_era:?}"));
        let name = |era: Era| if era == Era::Modern { "modern" } else { "legacy" };
        std::fs::write(&file, name(first)).unwrap();
        let script =
            format!("exec {} everything --stdio --era $(cat {})", fixture::program().display(), file.display());
        let hub = Hub::with(json!({ "pipe": { "command": "sh", "args": ["-c", script] } }));
        let client = Client::open(&hub, "/mcp", client_era).await;
        client.call("pipe__test_simple_text", json!({})).await;
        std::fs::write(&file, name(other(first))).unwrap();
        let running = hub.processes().into_iter().filter(|process| !process.command.contains("guard"));
        running.for_each(|process| processes::signal(process.pid, Signal::KILL));
        until("it is met anew", 30, async || {
            let call = json!({ "name": "pipe__test_simple_text", "arguments": {} });
            let response = client.response("tools/call", call).await;
            response.get("result").map(|_| ()).ok_or(response.to_string())
        })
        .await;
        let status = hub.server("pipe").await;
        assert_eq!(status["revisions"], json!([other(first).version()]), "{first:?} for {client_era:?}: {status}");
    }
}
