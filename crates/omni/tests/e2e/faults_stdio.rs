//! EMG-1, TRB-4: whatever a process does in a call, the call is told in its time, the others go on, and it serves again.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::processes::Process;
use crate::harness::{Client, Era, Hub, bad, everything, processes, until};

/// Seconds a call of these servers may stay without an answer.
const TIMEOUT_S: u64 = 1;
/// For a call to be told, on a machine that is as busy as it gets.
const TOLD_WITHIN: Duration = Duration::from_secs(15);
/// Descriptors that may have come without being a leak.
const DESCRIPTORS_MORE: usize = 8;

/// What is done from outside while the call is in flight.
type Meanwhile = fn(&Process);

/// The processes of the faulty server, without its guards.
fn running(hub: &Hub) -> Vec<Process> {
    let is_it = |process: &Process| process.command.contains(" bad ") && !process.command.contains(" guard ");
    hub.processes().into_iter().filter(is_it).collect()
}

async fn in_flight(hub: &Hub, wanted: u64) {
    until("so many calls in flight", 10, async || {
        let calls = hub.server("faulty").await["calls"].as_u64().unwrap();
        if calls == wanted { Ok(()) } else { Err(calls.to_string()) }
    })
    .await;
}

/// Calls `misbehave` of a server of this fault: code and words of the error. Before and after, all is well.
async fn told(fault: &[&str], era: Era, meanwhile: Option<Meanwhile>, afterwards: Option<Meanwhile>) -> (i64, String) {
    let mut faulty = bad(fault);
    faulty["timeout_s"] = json!(TIMEOUT_S);
    let hub = Hub::with(json!({ "faulty": faulty, "good": everything(&[]) }));
    let client = std::sync::Arc::new(Client::open(&hub, "/mcp", era).await);
    assert_eq!(client.text("faulty__echo", json!({ "text": "x" })).await, "x");
    client.call("good__test_simple_text", json!({})).await;
    let before = (processes::descriptors(hub.pid), hub.processes().len());
    let (began, calling) = (Instant::now(), std::sync::Arc::clone(&client));
    let call = tokio::spawn(async move {
        calling.error("tools/call", json!({ "name": "faulty__misbehave", "arguments": {} })).await
    });
    if let Some(meanwhile) = meanwhile {
        in_flight(&hub, 1).await;
        running(&hub).iter().for_each(meanwhile);
    }
    client.call("good__test_simple_text", json!({})).await;
    let error = call.await.unwrap();
    assert!(began.elapsed() < TOLD_WITHIN, "{fault:?}: told after {:?}", began.elapsed());
    assert_eq!(error["data"]["server"], "faulty", "{error}");
    client.call("good__test_simple_text", json!({})).await;
    if let Some(afterwards) = afterwards {
        running(&hub).iter().for_each(afterwards);
    }
    until("it serves again", 20, async || {
        let echo = json!({ "name": "faulty__echo", "arguments": { "text": "again" } });
        let response = client.response("tools/call", echo).await;
        if response["result"]["content"][0]["text"] == "again" { Ok(()) } else { Err(response.to_string()) }
    })
    .await;
    until("all is given back", 20, async || {
        let now = (processes::descriptors(hub.pid), hub.processes().len());
        let status = hub.server("faulty").await;
        let zombies = processes::children(hub.pid).into_iter().filter(|child| child.is_zombie).count();
        let back = now.0 <= before.0 + DESCRIPTORS_MORE && now.1 == before.1 && zombies == 0 && status["calls"] == 0;
        if back && status["state"] == "ready" {
            Ok(())
        } else {
            Err(format!("{before:?}, {now:?}, {zombies}, {status}"))
        }
    })
    .await;
    (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_killed_in_the_middle_of_a_call() {
    let kill: Meanwhile = |process| processes::signal(process.pid, Signal::KILL);
    for era in Era::BOTH {
        let (code, message) = told(&["hang"], era, Some(kill), None).await;
        assert!(code == 503 && message.contains("its process ended"), "{code} {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_paused_and_resumed() {
    let pause: Meanwhile = |process| processes::signal(process.pid, Signal::STOP);
    let resume: Meanwhile = |process| processes::signal(process.pid, Signal::CONT);
    for era in Era::BOTH {
        let (code, message) = told(&["hang"], era, Some(pause), Some(resume)).await;
        assert!(code == 504 && message.contains("within 1 s"), "{code} {message}");
    }
}

/// A process that never moves again is ended when calls that try it out find it silent, and started anew.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_paused_for_good() {
    for era in Era::BOTH {
        let mut faulty = bad(&["hang"]);
        (faulty["timeout_s"], faulty["breaker"]) = (json!(TIMEOUT_S), json!({ "failures": 1, "open_s": 1 }));
        let hub = Hub::with(json!({ "faulty": faulty, "good": everything(&[]) }));
        let client = Client::open(&hub, "/mcp", era).await;
        assert_eq!(client.text("faulty__echo", json!({ "text": "x" })).await, "x");
        let paused = running(&hub);
        paused.iter().for_each(|process| processes::signal(process.pid, Signal::STOP));
        until("another serves", 60, async || {
            let echo = json!({ "name": "faulty__echo", "arguments": { "text": "again" } });
            let response = client.response("tools/call", echo).await;
            if response["result"]["content"][0]["text"] == "again" { Ok(()) } else { Err(response.to_string()) }
        })
        .await;
        until("the paused one is gone", 20, async || {
            let left: Vec<_> = paused.iter().filter(|process| processes::runs(process.pid)).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
        assert_eq!(hub.server("faulty").await["state"], "ready");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_late_and_never_and_under_another_id() {
    for fault in [&["late", "2500"][..], &["hang"], &["wrong-id"]] {
        let (code, message) = told(fault, Era::Legacy, None, None).await;
        assert!(code == 504 && message.contains("within 1 s"), "{fault:?}: {code} {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_half_an_answer() {
    for era in Era::BOTH {
        let (code, message) = told(&["half"], era, None, None).await;
        assert!(code == 503 && message.contains("its process ended"), "{code} {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_the_first_of_two_answers_counts() {
    let hub = Hub::with(json!({ "faulty": bad(&["twice"]) }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        for _ in 0..20 {
            assert_eq!(client.text("faulty__misbehave", json!({})).await, "first");
            assert_eq!(client.text("faulty__echo", json!({ "text": "x" })).await, "x");
        }
    }
}

/// Lists that never end cost that server its lists, within bounds, and nobody else anything.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_lists_without_end() {
    let servers = json!({
        "endless": bad(&["endless-pages"]), "circular": bad(&["circular-pages"]), "good": everything(&[]),
    });
    let hub = Hub::configured(json!({ "servers": servers, "log": { "level": "error" } }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    for (server, why) in [("endless", "more than 2000 pages"), ("circular", "the same cursor again")] {
        let status = until("it is told", 60, async || {
            let status = hub.server(server).await;
            if status["error"].is_string() { Ok(status) } else { Err(status.to_string()) }
        })
        .await;
        assert!(status["error"].as_str().unwrap().contains(why), "{status}");
        let list = client.result("tools/list", json!({})).await;
        assert!(list["_meta"].to_string().contains(why), "{}", list["_meta"]);
        assert!(list["tools"].to_string().contains("good__test_simple_text"));
    }
    client.call("good__test_simple_text", json!({})).await;
}

/// One tool that no parser would take must not cost its clients the list of all.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_tool_that_is_too_deep_is_left_out() {
    let hub = Hub::with(json!({ "faulty": bad(&["deep-schema"]), "good": everything(&[]) }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        let list = until("both are there", 20, async || {
            let list: Value = client.result("tools/list", json!({})).await;
            let text = list.to_string();
            if text.contains("faulty__echo") && text.contains("good__test") { Ok(list) } else { Err(text) }
        })
        .await;
        let text = list.to_string();
        // A schema that refers to itself is a schema like others.
        assert!(text.contains("faulty__recursive") && text.contains(r##"{"$ref":"#"}"##), "{text}");
        assert!(!text.contains("faulty__deep"));
        assert_eq!(client.text("faulty__echo", json!({ "text": "x" })).await, "x");
    }
    assert!(hub.log().contains("deeper than 100"), "{}", hub.log());
}

/// The guard is killed: the hub ends what it guarded, be it as stubborn as it likes, and starts anew.
#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_guard_that_is_killed_leaves_no_process() {
    let hub = Hub::with(
        json!({ "stays": bad(&["ignore-eof"]), "parent": bad(&["spawn-grandchild"]), "hang": bad(&["hang"]) }),
    );
    let client = std::sync::Arc::new(Client::open(&hub, "/mcp", Era::Legacy).await);
    for _ in 0..2 {
        until("all of them serve", 20, async || {
            for server in ["stays", "hang", "parent"] {
                let echo = json!({ "name": format!("{server}__echo"), "arguments": { "text": "x" } });
                let response = client.response("tools/call", echo).await;
                if response.get("result").is_none() {
                    return Err(response.to_string());
                }
            }
            Ok(())
        })
        .await;
        let calling = std::sync::Arc::clone(&client);
        let call = tokio::spawn(async move {
            calling.error("tools/call", json!({ "name": "hang__misbehave", "arguments": {} })).await
        });
        until("the call is in flight", 10, async || {
            let calls = hub.server("hang").await["calls"].as_u64().unwrap();
            if calls == 1 { Ok(()) } else { Err(calls.to_string()) }
        })
        .await;
        let before = hub.processes();
        let (guards, guarded): (Vec<_>, Vec<_>) =
            before.into_iter().partition(|process| process.command.contains(" guard "));
        // Three servers, and the two children of one of them, one of which is in a session of its own.
        assert_eq!((guards.len(), guarded.len()), (3, 5), "{guards:?} {guarded:?}");
        guards.iter().for_each(|guard| processes::signal(guard.pid, Signal::KILL));
        until("nothing of them is left", 20, async || {
            let left: Vec<_> = guarded.iter().filter(|process| processes::runs(process.pid)).collect();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
        let error = call.await.unwrap();
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("`hang`") && message.contains("ended"), "{error}");
    }
}
