//! TOOL-3 and VAL-5: what a server asks of its client in the middle of a call, where the two do not speak the same era.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::peers::Peers;
use crate::harness::processes::signal;
use crate::harness::{Client, Era, HttpFixture, Hub, bad, everything, until};

const ELICIT: &str = "test_input_required_result_elicitation";

fn able() -> Value {
    json!({ "elicitation": {}, "sampling": {}, "roots": {} })
}

/// The fixture in one era only, over HTTP and as a process.
fn both(web: &HttpFixture, era: &str) -> Hub {
    Hub::with(json!({ "web": web.entry(), "pipe": everything(&["--era", era]) }))
}

fn call(tool: &str) -> Value {
    json!({ "name": tool, "arguments": {} })
}

/// The call made again with the answers to what was asked, each made by `answer`.
fn retry(mut params: Value, asked: &Value, answer: impl Fn(&Value) -> Value) -> Value {
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let requests = asked["inputRequests"].as_object().unwrap();
    let given: serde_json::Map<_, _> = requests.iter().map(|(key, request)| (key.clone(), answer(request))).collect();
    params["inputResponses"] = given.into();
    if asked.get("requestState").is_some() {
        params["requestState"] = asked["requestState"].clone();
    }
    params
}

fn answer(request: &Value) -> Value {
    match request["method"].as_str().unwrap() {
        "elicitation/create" => {
            json!({ "action": "accept", "content": { "name": "Ada", "ok": true, "color": "blue", "confirm": true, "context": "c" } })
        }
        "roots/list" => json!({ "roots": [{ "uri": "file:///home", "name": "home" }] }),
        "sampling/createMessage" => json!({
            "role": "assistant", "model": "m", "stopReason": "endTurn", "content": { "type": "text", "text": "Paris" },
        }),
        other => panic!("{other} is no request to a client"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_a_call_waits_on_a_legacy_server_while_a_modern_client_is_asked() {
    let web = HttpFixture::start(&["--era", "legacy"]);
    let hub = both(&web, "legacy");
    for server in ["web", "pipe"] {
        let client = Client::able(&hub, &format!("/mcp/{server}"), Era::Modern, able()).await;
        let params = call(ELICIT);
        let asked = client.result("tools/call", params.clone()).await;
        let question = asked["inputRequests"].as_object().unwrap().values().next().unwrap();
        assert_eq!(question["method"], "elicitation/create", "{asked}");
        assert_eq!(hub.ready().await["waiting_for_input"], 1);
        let done = client.result("tools/call", retry(params.clone(), &asked, answer)).await;
        assert_eq!(done["resultType"], "complete", "{done}");
        assert!(done["content"][0]["text"].as_str().unwrap().contains("Ada"), "{done}");

        // Several questions in one breath, each in its own way.
        let params = call("test_input_required_result_multiple_inputs");
        let asked = client.result("tools/call", params.clone()).await;
        assert_eq!(asked["inputRequests"].as_object().unwrap().len(), 3, "{asked}");
        let done = client.result("tools/call", retry(params, &asked, answer)).await;
        assert_eq!(done["resultType"], "complete", "{done}");

        // Round after round.
        let params = call("test_input_required_result_multi_round");
        let mut result = client.result("tools/call", params.clone()).await;
        let mut rounds = 0;
        while result["resultType"] == "input_required" {
            rounds += 1;
            result = client.result("tools/call", retry(params.clone(), &result, answer)).await;
        }
        assert!(rounds >= 2, "{rounds}: {result}");

        // A prompt may ask as well.
        let params = call("test_input_required_result_prompt");
        let asked = client.result("prompts/get", params.clone()).await;
        let done = client.result("prompts/get", retry(params, &asked, answer)).await;
        assert!(done["messages"].is_array(), "{done}");
        until("nothing in flight", 10, async || match hub.server(server).await["calls"].as_u64() {
            Some(0) => Ok(()),
            calls => Err(format!("{calls:?}")),
        })
        .await;
    }
}

/// Calls that wait hold no connection of the pool, and their answers get out although others hold them all.
#[tokio::test(flavor = "multi_thread")]
async fn pool_1_more_calls_wait_for_input_than_the_pool_has_connections() {
    const CALLS: usize = 7;
    let web = HttpFixture::start(&["--era", "legacy"]);
    let mut entry = web.entry();
    entry["pool"] = json!({ "initial": 1, "size": 1, "max": 2, "connect_timeout_s": 5 });
    entry["breaker"] = json!({ "failures": 1 });
    let hub = Hub::with(json!({ "web": entry }));
    let client = Client::able(&hub, "/mcp/web", Era::Modern, able()).await;
    let mut waiting = Vec::new();
    for _ in 0..CALLS {
        waiting.push(client.result("tools/call", call(ELICIT)).await);
    }
    assert_eq!(hub.ready().await["waiting_for_input"], CALLS);
    client.call("test_simple_text", json!({})).await;

    // Calls of clients of the server's own era are asked on their streams, which hold the pool's connections.
    let legacy = Client::able(&hub, "/mcp/web", Era::Legacy, able()).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut events = legacy.listen("tools/call", call(ELICIT)).await;
        let question = events.message().await;
        streams.push((events, question));
    }
    assert_eq!(hub.server("web").await["connections_in_use"], 2);
    let full = client.error("tools/call", json!({ "name": "test_simple_text", "arguments": {} })).await;
    assert_eq!((&full["code"], &full["data"]["reason"]), (&json!(429), &json!("overloaded")), "{full}");
    for asked in &waiting {
        let done = client.result("tools/call", retry(call(ELICIT), asked, answer)).await;
        assert!(done["content"][0]["text"].as_str().unwrap().contains("Ada"), "{done}");
    }
    for (mut events, question) in streams {
        let reply = json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer(&question) });
        assert_eq!(legacy.post(&reply.to_string(), &[]).await.status, 202);
        let done = events.message().await;
        assert!(done["result"]["content"][0]["text"].as_str().unwrap().contains("Ada"), "{done}");
    }
    client.call("test_simple_text", json!({})).await;
    let status = hub.server("web").await;
    assert_eq!((&status["breaker"]["state"], &status["breaker"]["opened"]), (&json!("closed"), &json!(0)), "{status}");
    until("nothing in flight", 10, async || match hub.server("web").await["calls"].as_u64() {
        Some(0) => Ok(()),
        calls => Err(format!("{calls:?}")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn val_5_a_state_serves_its_own_call_once() {
    let web = HttpFixture::start(&["--era", "legacy"]);
    let hub = both(&web, "legacy");
    let client = Client::able(&hub, "/mcp/web", Era::Modern, able()).await;
    let params = call(ELICIT);
    let asked = client.result("tools/call", params.clone()).await;
    let good = retry(params.clone(), &asked, answer);
    let state = asked["requestState"].as_str().unwrap();

    // Another state, another tool, other arguments, another endpoint, the state of a method that is another.
    let with = |key: &str, value: Value| {
        let mut changed = good.clone();
        changed[key] = value;
        changed
    };
    for forged in [format!("{state}-TAMPERED"), state[..state.len() - 2].to_owned(), "omni1.".to_owned(), String::new()]
    {
        let error = client.error("tools/call", with("requestState", json!(forged))).await;
        assert_eq!(error["code"], -32602, "{error}");
        assert!(error["message"].as_str().unwrap().contains("requestState"), "{error}");
    }
    for changed in [with("name", json!("test_simple_text")), with("arguments", json!({ "x": 1 }))] {
        assert_eq!(client.error("tools/call", changed).await["code"], -32602);
    }
    let everywhere = Client::able(&hub, "/mcp", Era::Modern, able()).await;
    assert_eq!(everywhere.error("tools/call", with("name", json!(format!("web__{ELICIT}")))).await["code"], -32602);
    let elsewhere = Client::able(&hub, "/mcp/pipe", Era::Modern, able()).await;
    assert_eq!(elsewhere.error("tools/call", good.clone()).await["code"], -32602);

    // What is missing is asked for again; what was not asked is left alone.
    let again = client.result("tools/call", with("inputResponses", json!({ "nobody": {} }))).await;
    assert_eq!(again["inputRequests"], asked["inputRequests"], "{again}");
    assert_eq!(client.error("tools/call", good).await["code"], -32602, "the first state is used up");
    let mut better = retry(params, &again, answer);
    better["inputResponses"]["nobody"] = json!({ "x": 1 });
    let done = client.result("tools/call", better.clone()).await;
    assert_eq!(done["resultType"], "complete", "{done}");
    let error = client.error("tools/call", better).await;
    assert!(error["message"].as_str().unwrap().contains("not made again"), "never a second time: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_a_client_that_does_not_come_back_holds_nothing() {
    let web = HttpFixture::start(&["--era", "legacy"]);
    let hub = Hub::configured(json!({
        "servers": { "web": web.entry() }, "gateway": { "input_timeout_s": 1 },
    }));
    let client = Client::able(&hub, "/mcp/web", Era::Modern, able()).await;
    let asked = client.result("tools/call", call(ELICIT)).await;
    until("the call is let go", 30, async || match hub.server("web").await["calls"].as_u64() {
        Some(0) => Ok(()),
        calls => Err(format!("{calls:?}")),
    })
    .await;
    let error = client.error("tools/call", retry(call(ELICIT), &asked, answer)).await;
    assert_eq!(error["code"], -32602, "{error}");
}

/// On the channel of a call that was let go nobody can say for a while whose a question is: where there may be several processes,
/// others have theirs on another one.
#[tokio::test(flavor = "multi_thread")]
async fn pool_1_tool_3_a_dialog_that_was_abandoned_does_not_keep_others_from_theirs() {
    let mut pipe = everything(&["--era", "legacy"]);
    pipe["sharing"] = json!("multiplied");
    let hub = Hub::configured(json!({ "servers": { "pipe": pipe }, "gateway": { "input_timeout_s": 1 } }));
    let client = Client::able(&hub, "/mcp/pipe", Era::Modern, able()).await;
    for round in 0..2 {
        let asked = client.result("tools/call", call(ELICIT)).await;
        assert_eq!(asked["resultType"], "input_required", "round {round}: {asked}");
        until("the call is let go", 30, async || match hub.server("pipe").await["calls"].as_u64() {
            Some(0) => Ok(()),
            calls => Err(format!("{calls:?}")),
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_what_a_client_did_not_declare_it_is_not_asked() {
    let web = HttpFixture::start(&["--era", "legacy"]);
    let hub = both(&web, "legacy");
    for server in ["web", "pipe"] {
        for capabilities in [json!({}), json!({ "sampling": {} })] {
            let client = Client::able(&hub, &format!("/mcp/{server}"), Era::Modern, capabilities).await;
            // The server hears so, fails, and its client is told what was missing, in the way of its own era.
            let answer = client.ask("tools/call", call(ELICIT)).await;
            let error = &answer.json()["error"];
            assert_eq!((answer.status, &error["code"]), (400, &json!(-32021)), "{error}");
            assert_eq!(error["data"], json!({ "requiredCapabilities": { "elicitation": {} } }), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_a_legacy_client_is_asked_for_a_modern_server() {
    let web = HttpFixture::start(&["--era", "modern"]);
    let hub = both(&web, "modern");
    for server in ["web", "pipe"] {
        let client = Client::able(&hub, &format!("/mcp/{server}"), Era::Legacy, able()).await;
        for (tool, questions) in [
            (ELICIT, 1),
            ("test_input_required_result_multiple_inputs", 3),
            ("test_input_required_result_request_state", 1),
            ("test_input_required_result_multi_round", 2),
        ] {
            let mut events = client.listen("tools/call", call(tool)).await;
            let mut asked = 0;
            let done = loop {
                let message = events.message().await;
                if message.get("method").is_none() {
                    break message;
                }
                asked += 1;
                let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": answer(&message) });
                assert_eq!(client.post(&reply.to_string(), &[]).await.status, 202);
                assert_ne!(client.post(&reply.to_string(), &[]).await.status, 202, "an answer is taken once");
            };
            assert_eq!(asked, questions, "{tool}: {done}");
            assert!(done["result"]["content"].is_array() && done["result"].get("resultType").is_none(), "{done}");
        }

        // A client that fails ends the call, which says so.
        let mut events = client.listen("tools/call", call(ELICIT)).await;
        let question = events.message().await;
        let error = json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": -1, "message": "no user" } });
        assert_eq!(client.post(&error.to_string(), &[]).await.status, 202);
        let failed = events.message().await;
        assert!(failed["error"]["message"].as_str().unwrap().contains("no user"), "{failed}");

        // One that declared nothing is not asked, and the server hears that it did not.
        let silent = Client::open(&hub, &format!("/mcp/{server}"), Era::Legacy).await;
        let refused = silent.response("tools/call", call("test_missing_capability")).await;
        assert!(refused.to_string().contains("apabilit"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_call_whose_client_is_asked_leaves_its_place_to_others() {
    let mut pipe = everything(&["--era", "modern"]);
    pipe["bulkhead"] = json!({ "calls_max": 1, "waiting_max": 1, "wait_s": 30 });
    let hub = Hub::with(json!({ "pipe": pipe }));
    let asked = Client::able(&hub, "/mcp/pipe", Era::Legacy, able()).await;
    let mut events = asked.listen("tools/call", call("test_input_required_result_multi_round")).await;
    let other = Client::open(&hub, "/mcp/pipe", Era::Legacy).await;
    loop {
        let message = events.message().await;
        if message.get("method").is_none() {
            assert!(message["result"]["content"].is_array(), "{message}");
            break;
        }
        // The server has one place, and answers others while the client thinks.
        other.call("test_simple_text", json!({})).await;
        let reply = json!({ "jsonrpc": "2.0", "id": message["id"], "result": answer(&message) });
        assert_eq!(asked.post(&reply.to_string(), &[]).await.status, 202);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_a_legacy_clients_cancelled_round_ends() {
    let web = HttpFixture::start(&["--era", "modern"]);
    let hub = both(&web, "modern");
    let client = Client::able(&hub, "/mcp/web", Era::Legacy, able()).await;
    let (body, _) = client.message("tools/call", call(ELICIT));
    let id = serde_json::from_str::<Value>(&body).unwrap()["id"].as_u64().unwrap() + 1;
    let mut events = client.listen("tools/call", call(ELICIT)).await;
    let question = events.message().await;
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    assert_eq!(client.post(&cancelled.to_string(), &[]).await.status, 202);
    assert!(events.next().await.is_none(), "nothing more is said of it");
    let late = json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer(&question) });
    assert_eq!(client.post(&late.to_string(), &[]).await.status, 400, "nobody waits for it any more");
}

/// A real server of the earlier revisions: it offers what it asks only to clients that declare it.
#[tokio::test(flavor = "multi_thread")]
async fn pool_1_server_everything_asks_a_modern_client() {
    let Some(peers) = Peers::find() else { return };
    let script = peers.module("server-everything/dist/index.js");
    let hub = Hub::with(json!({ "every": { "command": peers.node, "args": [script, "stdio"] } }));
    let plain = Client::open(&hub, "/mcp/every", Era::Modern).await.tools().await;
    let client = Client::able(&hub, "/mcp/every", Era::Modern, able()).await;
    let tools = client.tools().await;
    assert!(tools.len() > plain.len(), "{} and {}: {tools:?}", tools.len(), plain.len());
    assert!(tools.contains(&"trigger-elicitation-request".to_owned()) && tools.contains(&"get-roots-list".to_owned()));
    assert!(!plain.contains(&"trigger-elicitation-request".to_owned()), "{plain:?}");
    let legacy = Client::able(&hub, "/mcp/every", Era::Legacy, able()).await;
    assert_eq!(legacy.tools().await, tools, "what is shown depends on what is declared, not on the era");

    let params = json!({ "name": "trigger-elicitation-request", "arguments": {} });
    let asked = client.result("tools/call", params.clone()).await;
    let done = client.result("tools/call", retry(params, &asked, answer)).await;
    assert!(done.to_string().contains("Ada"), "{done}");
    let params = json!({ "name": "trigger-sampling-request", "arguments": { "prompt": "capital?", "maxTokens": 10 } });
    let asked = client.result("tools/call", params.clone()).await;
    let done = client.result("tools/call", retry(params, &asked, answer)).await;
    assert!(done.to_string().contains("Paris"), "{done}");
}

/// A call that waits goes down with its server, and is told so.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_call_that_waits_on_a_server_that_ends_is_told() {
    let hub = Hub::with(json!({ "pipe": everything(&["--era", "legacy"]), "other": bad(&["hang"]) }));
    let client = Client::able(&hub, "/mcp/pipe", Era::Modern, able()).await;
    let asked = client.result("tools/call", call(ELICIT)).await;
    let servers: Vec<_> =
        hub.processes().into_iter().filter(|process| process.command.contains("everything")).collect();
    assert!(!servers.is_empty());
    for process in servers {
        signal(process.pid, Signal::KILL);
    }
    let error = client.error("tools/call", retry(call(ELICIT), &asked, answer)).await;
    assert!(error["message"].as_str().unwrap().contains("pipe"), "{error}");
    let asked = client.result("tools/call", call(ELICIT)).await;
    assert_eq!(asked["resultType"], "input_required", "it serves again");
}

/// What keeps a stream alive while nothing comes does not make its call one that cannot be cancelled.
#[tokio::test(flavor = "multi_thread")]
async fn tool_3_a_quiet_streamed_call_can_be_cancelled() {
    let web = HttpFixture::start(&["--era", "legacy"]);
    let hub = Hub::with(json!({ "web": web.entry() }));
    let client = Client::able(&hub, "/mcp/web", Era::Legacy, able()).await;
    let mut events = client.listen("tools/call", call(ELICIT)).await;
    let question = events.message().await;
    assert_eq!(question["method"], "elicitation/create");
    // Longer than the pause after which a comment is sent.
    tokio::time::sleep(std::time::Duration::from_secs(17)).await;
    let (body, _) = client.message("ping", json!({}));
    let id = serde_json::from_str::<Value>(&body).unwrap()["id"].as_u64().unwrap() - 1;
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    assert_eq!(client.post(&cancelled.to_string(), &[]).await.status, 202);
    assert!(events.next().await.is_none(), "nothing more is said of it");
    until("nothing in flight", 10, async || match hub.server("web").await["calls"].as_u64() {
        Some(0) => Ok(()),
        calls => Err(format!("{calls:?}")),
    })
    .await;
}
