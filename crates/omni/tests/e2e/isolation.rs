//! EMG-1: whatever one server does, the others' calls are answered, and the lists say what is missing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Client, Era, HUB_ALONE, Hub, bad, everything, fixture, processes, until};

/// Calls of the good server while the others misbehave.
const CALLS: usize = 40;
/// For one of these calls, on a machine that is as busy as it gets.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Memory that the hub may hold, whatever floods it: one message of the longest kind, and itself.
const MEMORY_KIB_MAX: u64 = 600 * 1024;

const ABSENT: &str = "dev.omni-mcp-hub/absentServers";

/// A floor under the noise: a flooding server's every line would be written otherwise.
fn quiet(servers: Value) -> Value {
    json!({ "servers": servers, "log": { "level": "error" } })
}

fn absent<'a>(list: &'a Value, server: &str) -> Option<&'a str> {
    let all = list["_meta"][ABSENT].as_array()?;
    all.iter().find(|one| one["server"] == server)?["reason"].as_str()
}

fn memory_kib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn others_answer(client: &Client, while_what: &str) {
    for call in 0..CALLS {
        let began = Instant::now();
        let text = client.text("good__test_simple_text", json!({})).await;
        assert_eq!(text, "This is a simple text response for testing.");
        assert!(began.elapsed() < CALL_LIMIT, "call {call} took {:?} while {while_what}", began.elapsed());
    }
}

/// Calls `misbehave` of a server of this fault, and the good server meanwhile; the answer, if one came.
async fn beside(fault: &str, era: Era) -> Option<Value> {
    let mut faulty = bad(&[fault]);
    faulty["timeout_s"] = json!(2);
    let hub = Hub::configured(quiet(json!({ "faulty": faulty, "good": everything(&[]) })));
    let client = Client::open(&hub, "/mcp", era).await;
    others_answer(&client, "nothing happens").await;
    client.text("faulty__echo", json!({ "text": "x" })).await;
    let faulty = Client::open(&hub, "/mcp", era).await;
    let mut call = tokio::spawn(async move {
        faulty.response("tools/call", json!({ "name": "faulty__misbehave", "arguments": {} })).await
    });
    until("the call is in flight", 10, async || {
        if call.is_finished() || hub.server("faulty").await["calls"].as_u64().unwrap() > 0 {
            return Ok(());
        }
        Err("no call in flight".to_owned())
    })
    .await;
    others_answer(&client, fault).await;
    let memory = memory_kib(hub.pid);
    assert!(memory < MEMORY_KIB_MAX, "the hub holds {memory} KiB while {fault}");
    let answer = tokio::time::timeout(Duration::from_secs(8), &mut call).await;
    call.abort();
    others_answer(&client, fault).await;
    let memory = memory_kib(hub.pid);
    assert!(memory < MEMORY_KIB_MAX, "the hub holds {memory} KiB after {fault}");
    answer.ok().map(Result::unwrap)
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_beside_a_server_that_hangs() {
    for era in Era::BOTH {
        let answer = beside("hang", era).await.expect("the call is answered after its time");
        let error = &answer["error"];
        assert_eq!(error["code"], 504, "{answer}");
        assert!(error["message"].as_str().unwrap().contains("`faulty`"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_beside_a_server_that_floods_its_output() {
    // Its log lines are signs of progress, so that the call may well go on for as long as the flood does.
    beside("flood-stdout", Era::Legacy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_beside_a_server_that_floods_its_errors() {
    beside("flood-stderr", Era::Modern).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_beside_a_server_that_writes_a_line_without_end() {
    let answer = beside("no-newline", Era::Modern).await.expect("the call is answered when the line is too long");
    let error = &answer["error"];
    assert!([502, 503, 504].contains(&error["code"].as_i64().unwrap()), "{answer}");
    assert!(error["message"].as_str().unwrap().contains("`faulty`"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_crash_answers_the_call_and_the_server_comes_back() {
    let hub = Hub::with(json!({ "faulty": bad(&["crash-on-call"]), "good": everything(&[]) }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        assert_eq!(client.text("faulty__echo", json!({ "text": "x" })).await, "x");
        let error = client.error("tools/call", json!({ "name": "faulty__misbehave", "arguments": {} })).await;
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["code"], 503, "{error}");
        assert!(message.contains("`faulty`") && message.contains("101"), "{error}");
        assert_eq!(error["data"]["server"], "faulty");
        others_answer(&client, "a server is down").await;
        assert_eq!(client.text("faulty__echo", json!({ "text": "x" })).await, "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_server_that_talks_rubbish_is_heard_all_the_same() {
    let hub = Hub::with(json!({ "faulty": bad(&["garbage"]) }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp/faulty", era).await;
        assert_eq!(client.text("echo", json!({ "text": "x" })).await, "x");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_lists_name_the_servers_that_are_absent_and_why() {
    let mut mute = json!({ "command": "sleep", "args": ["1000"] });
    mute["pool"] = json!({ "connect_timeout_s": 1 });
    let servers = json!({
        "good": everything(&[]),
        "exits": bad(&["exit-at-start"]),
        "missing": { "command": "no-such-program-of-omni" },
        "mute": mute,
        "unreachable": { "url": "http://127.0.0.1:1/mcp" },
    });
    let hub = Hub::with(servers);
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp", era).await;
        let list = until("every reason is known", 20, async || {
            let list = client.result("tools/list", json!({})).await;
            let starting = list["_meta"].to_string().contains("still starting");
            if starting { Err(list["_meta"].to_string()) } else { Ok(list) }
        })
        .await;
        for (server, why) in [
            ("exits", "this server never starts"),
            ("missing", "no-such-program-of-omni"),
            ("mute", "1 s"),
            ("unreachable", "127.0.0.1:1"),
        ] {
            let reason = absent(&list, server).unwrap_or_else(|| panic!("{server} is not told absent in {list}"));
            assert!(reason.contains(why), "{server}: {reason}");
        }
        assert_eq!(absent(&list, "good"), None);
        others_answer(&client, "four servers are absent").await;
        // At its own endpoint a server that is absent is an error, not an empty list.
        let alone = Client::open(&hub, "/mcp/good", era).await;
        assert!(alone.tools().await.contains(&"test_simple_text".to_owned()));
    }
    let ready = hub.ready().await;
    assert_eq!(ready["status"], "degraded", "{ready}");
    assert_eq!(hub.server("missing").await["state"], "failing");
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_server_that_failed_to_start_is_tried_again_with_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let (healed, starts) = (folder.path().join("healed"), folder.path().join("starts"));
    let script = format!(
        "echo x >> {}; test -e {} || {{ echo not yet >&2; exit 3; }}; exec {} bad hang",
        starts.display(),
        healed.display(),
        fixture::program().display()
    );
    let hub = Hub::with(json!({ "late": { "command": "sh", "args": ["-c", script] }, "good": everything(&[]) }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let count = || std::fs::read_to_string(&starts).unwrap_or_default().lines().count();
    until("it is told absent", 10, async || {
        let list = client.result("tools/list", json!({})).await;
        absent(&list, "late").filter(|why| why.contains("not yet")).map(|_| ()).ok_or(list["_meta"].to_string())
    })
    .await;
    // Asking for it without pause does not start it without pause.
    let (began, at) = (Instant::now(), count());
    while began.elapsed() < Duration::from_secs(3) {
        let error = client.error("tools/call", json!({ "name": "late__echo", "arguments": { "text": "x" } })).await;
        assert!(error["message"].as_str().unwrap().contains("late"), "{error}");
    }
    assert!(count() - at <= 6, "{} starts in three seconds", count() - at);
    std::fs::write(&healed, "").unwrap();
    until("it is back", 45, async || {
        let list = client.result("tools/list", json!({})).await;
        let is_listed = list["tools"].to_string().contains("late__echo");
        if is_listed && absent(&list, "late").is_none() { Ok(()) } else { Err(list["_meta"].to_string()) }
    })
    .await;
    assert_eq!(client.text("late__echo", json!({ "text": "x" })).await, "x");
    assert_eq!(processes::children(hub.pid).into_iter().filter(|child| child.is_zombie).count(), 0);
}

/// Whoever comes first: the hub, which reads the lists, or a client of the other era.
#[tokio::test(flavor = "multi_thread")]
async fn pool_1_a_shared_server_runs_once_however_it_is_woken() {
    for _ in 0..5 {
        let hub = Hub::with(json!({ "one": bad(&["crash-on-call"]) }));
        let client = Client::open(&hub, "/mcp", Era::Legacy).await;
        assert_eq!(client.text("one__echo", json!({ "text": "x" })).await, "x");
        let servers = || hub.processes().into_iter().filter(|process| !process.command.contains("guard")).count();
        until("one process", 5, async || if servers() == 1 { Ok(()) } else { Err(servers().to_string()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_server_that_answers_again_is_told_ready() {
    for _ in 0..5 {
        let hub = Hub::with(json!({ "faulty": bad(&["crash-on-call"]) }));
        let client = Client::open(&hub, "/mcp", Era::Legacy).await;
        assert_eq!(client.text("faulty__echo", json!({ "text": "x" })).await, "x");
        client.error("tools/call", json!({ "name": "faulty__misbehave", "arguments": {} })).await;
        assert_eq!(client.text("faulty__echo", json!({ "text": "x" })).await, "x");
        until("it is told ready again", 5, async || {
            let server = hub.server("faulty").await;
            if server["state"] == "ready" { Ok(()) } else { Err(server.to_string()) }
        })
        .await;
    }
}

/// A server that works on one call at a time runs as often as calls need, within its pool.
#[tokio::test(flavor = "multi_thread")]
async fn pool_1_a_multiplied_server_runs_within_its_pool() {
    let mut entry = bad(&["hang"]);
    entry["sharing"] = json!("multiplied");
    entry["pool"] = json!({ "initial": 2, "size": 2, "max": 3 });
    // Calls of clients that are gone go on for a second.
    let hub = Hub::configured(json!({ "servers": { "many": entry }, "gateway": { "resume_window_s": 1 } }));
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    assert_eq!(client.text("many__echo", json!({ "text": "x" })).await, "x");
    let running = async |wanted: usize| {
        let servers = || hub.processes().into_iter().filter(|process| !process.command.contains("guard")).count();
        until("processes", 30, async || if servers() == wanted { Ok(()) } else { Err(servers().to_string()) }).await;
    };
    running(2).await;
    let hanging: Vec<_> = {
        let mut all = Vec::new();
        for _ in 0..5 {
            let client = Client::open(&hub, "/mcp", Era::Legacy).await;
            all.push(tokio::spawn(async move {
                client.error("tools/call", json!({ "name": "many__misbehave", "arguments": {} })).await
            }));
        }
        all
    };
    running(3).await;
    hanging.iter().for_each(tokio::task::JoinHandle::abort);
    running(2).await;
}

/// What the hub was started with is not its servers' business: they get what their entry names, and a few harmless ones.
#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_servers_environment_is_what_its_entry_says() {
    let mut entry = bad(&["hang"]);
    entry["env"]["ITS_OWN"] = json!("yes");
    let hub = Hub::with(json!({ "one": entry }));
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    assert_eq!(client.text("one__echo", json!({ "text": "x" })).await, "x");
    let names = |pid: i32| -> Vec<String> {
        let environ = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        environ.split('\0').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.to_owned()).collect()
    };
    assert!(names(hub.pid).iter().any(|name| name == HUB_ALONE));
    let server = hub.processes().into_iter().find(|process| !process.command.contains("guard")).unwrap();
    let found = names(server.pid);
    assert!(found.iter().any(|name| name == "PATH") && found.iter().any(|name| name == "ITS_OWN"), "{found:?}");
    assert!(!found.iter().any(|name| name == HUB_ALONE), "{found:?}");
}
