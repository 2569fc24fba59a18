//! TRB-4: after sessions, crashes and a `kill -9` nothing is left: no process, no descriptor, no file.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Client, Era, HttpFixture, Hub, bad, everything, processes, until};

/// Sessions opened.
const SESSIONS: usize = 200;
/// Sessions open at a time.
const AT_A_TIME: usize = 8;
/// Crashes of a server.
const CRASHES: usize = 20;
/// Descriptors that may have come without being a leak: the runtime's own, an idle connection.
const DESCRIPTORS_MORE: usize = 8;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Beside the catalogs, the audit log, the hub's key and its socket nothing may lie in the data directory, and nothing at all in that for temporary files.
fn assert_no_files(hub: &Hub) {
    let data = hub.home.path().join("data");
    for file in files(&data) {
        let is_catalog = file.parent() == Some(&data.join("catalog")) && file.extension().is_some_and(|e| e == "json");
        // The socket of a hub that was killed stays; the next one takes its place.
        let is_own = file == data.join("hub.key") || file == data.join("admin.sock");
        let is_of_log = file.starts_with(data.join("audit"));
        assert!(is_catalog || is_own || is_of_log, "{} was left", file.display());
    }
    assert_eq!(files(&hub.home.path().join("tmp")), Vec::<PathBuf>::new());
}

async fn session(address_of: &Hub, number: usize, first: &str) -> Client {
    let client = Client::open(address_of, "/mcp", Era::Legacy).await;
    assert_eq!(client.text(first, json!({ "text": "x" })).await, "x");
    // Every fifth also uses the server that gives each session a process of its own, every second the one behind HTTP.
    if number.is_multiple_of(5) {
        assert_eq!(client.text("own__echo", json!({ "text": "y" })).await, "y");
    }
    if number.is_multiple_of(2) {
        client.call("web__test_simple_text", json!({})).await;
    }
    client
}

async fn no_sessions(hub: &Hub) {
    until("all sessions end", 30, async || {
        let sessions = hub.ready().await["sessions"].as_u64().unwrap();
        if sessions == 0 { Ok(()) } else { Err(format!("{sessions} sessions")) }
    })
    .await;
}

/// Waits until the hub has no more processes and descriptors than `before`.
async fn as_before(hub: &Hub, before: (usize, usize)) {
    until("processes and descriptors are given back", 20, async || {
        let now = (processes::descriptors(hub.pid), hub.processes());
        let zombies = processes::children(hub.pid).into_iter().filter(|child| child.is_zombie).count();
        let as_before = now.0 <= before.0 + DESCRIPTORS_MORE && now.1.len() <= before.1 && zombies == 0;
        if as_before { Ok(()) } else { Err(format!("before {before:?}, now {now:?}, {zombies} zombies")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_after_two_hundred_sessions_the_hub_is_as_before() {
    let fixture = HttpFixture::start(&[]);
    let mut own = bad(&["garbage"]);
    own["sharing"] = json!("session");
    let mut web = fixture.entry();
    // Connections are kept for the next call; here not for long, so that it is seen whether they are given back.
    web["pool"] = json!({ "initial": 0, "idle_timeout_s": 1 });
    let servers = json!({ "shared": bad(&["hang"]), "own": own, "web": web });
    // Sessions that nobody ends are given up after two seconds.
    let hub = Hub::configured(json!({ "servers": servers, "gateway": { "session_idle_timeout_s": 2 } }));
    let warm = session(&hub, 0, "shared__echo").await;
    assert_eq!(warm.delete().await, 200);
    no_sessions(&hub).await;
    until("the session's own process ends", 20, async || {
        // One link of `own` may be the hub's, by which it reads the lists.
        let own = hub.server("own").await["links"].as_u64().unwrap();
        if own <= 1 { Ok(()) } else { Err(format!("{own} links of `own`")) }
    })
    .await;
    let before = (processes::descriptors(hub.pid), hub.processes().len());

    let hub = std::sync::Arc::new(hub);
    let (mut running, mut most) = (JoinSet::new(), 0);
    for number in 0..SESSIONS {
        if running.len() >= AT_A_TIME {
            running.join_next().await.unwrap().unwrap();
        }
        let its = std::sync::Arc::clone(&hub);
        running.spawn(async move {
            let client = session(&its, number, "shared__echo").await;
            // Some listen, and hang up; half of them leave without a word.
            if number.is_multiple_of(4) {
                drop(client.stream().await);
            }
            if !number.is_multiple_of(2) {
                assert_eq!(client.delete().await, 200);
            }
        });
        most = most.max(hub.processes().len());
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    assert!(most > before.1, "no session ever had a process of its own: the test sees nothing");
    no_sessions(&hub).await;
    as_before(&hub, before).await;
    assert_no_files(&hub);
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_after_twenty_crashes_nothing_is_left() {
    let hub = Hub::with(json!({ "crash": bad(&["crash-on-call"]), "good": everything(&[]) }));
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    client.call("good__test_simple_text", json!({})).await;
    client.text("crash__echo", json!({ "text": "x" })).await;
    let before = (processes::descriptors(hub.pid), hub.processes().len());
    for crash in 0..CRASHES {
        // The server is back for the next call after a pause, which the hub waits out.
        assert_eq!(client.text("crash__echo", json!({ "text": "x" })).await, "x", "after {crash} crashes");
        let error = client.error("tools/call", json!({ "name": "crash__misbehave", "arguments": {} })).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("crash") && message.contains("101"), "{error}");
        client.call("good__test_simple_text", json!({})).await;
    }
    assert_eq!(client.text("crash__echo", json!({ "text": "x" })).await, "x");
    as_before(&hub, before).await;
    assert_no_files(&hub);
}

/// The ids of a spawning server and its two grandchildren of ours.
async fn family(client: &Client, tool: &str) -> Vec<i32> {
    let told: Value = serde_json::from_str(&client.text(tool, json!({})).await).unwrap();
    ["self", "same_session", "new_session"].map(|who| i32::try_from(told[who].as_i64().unwrap()).unwrap()).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_server_that_is_killed_takes_its_grandchildren_along() {
    let hub = Hub::with(json!({ "parent": bad(&["spawn-grandchild"]) }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let family = family(&client, "parent__pids").await;
    assert!(family.iter().all(|pid| processes::runs(*pid)), "{family:?}");
    processes::signal(family[0], Signal::KILL);
    until("the grandchildren end", 15, async || {
        let left: Vec<_> = family.iter().filter(|pid| processes::runs(**pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?} of {family:?} run")) }
    })
    .await;
}

fn stubborn() -> Value {
    json!({
        "crash": bad(&["crash-on-call"]),
        "stays": bad(&["ignore-eof"]),
        "parent": bad(&["spawn-grandchild"]),
        "hang": bad(&["hang"]),
        "good": everything(&[]),
    })
}

/// Wakes all of them, and leaves one in the middle of a call.
async fn wake(hub: &Hub) -> Vec<i32> {
    let client = Client::open(hub, "/mcp", Era::Legacy).await;
    for server in ["crash", "stays", "hang"] {
        client.text(&format!("{server}__echo"), json!({ "text": "x" })).await;
    }
    client.call("good__test_simple_text", json!({})).await;
    let family = family(&client, "parent__pids").await;
    tokio::spawn(async move { client.ask("tools/call", json!({ "name": "hang__misbehave", "arguments": {} })).await });
    until("the call is in flight", 10, async || {
        let calls = hub.server("hang").await["calls"].as_u64().unwrap();
        if calls > 0 { Ok(()) } else { Err("no call".to_owned()) }
    })
    .await;
    let marked = hub.processes();
    for pid in &family {
        assert!(marked.iter().any(|process| process.pid == *pid), "{pid} is not found by its mark");
    }
    family
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_hub_that_is_killed_leaves_no_process() {
    let mut hub = Hub::unguarded(json!({ "servers": stubborn() }));
    wake(&hub).await;
    processes::signal(hub.pid, Signal::KILL);
    assert_eq!(hub.stopped(), None);
    until("every process behind the hub ends", 20, async || {
        let left = hub.processes();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    assert_no_files(&hub);
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_hub_that_is_asked_to_stop_leaves_no_process() {
    let gateway = json!({ "drain_timeout_s": 1 });
    let mut hub = Hub::unguarded(json!({ "servers": stubborn(), "gateway": gateway }));
    wake(&hub).await;
    hub.terminate();
    assert_eq!(hub.stopped(), Some(0));
    // The hub waits for its servers, and says that it is done when they are.
    until("every process behind the hub ends", 5, async || {
        let left = hub.processes();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    assert_no_files(&hub);
}

/// The hub may be killed at any moment, also while its servers are being started.
#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_hub_that_is_killed_while_its_servers_start_leaves_no_process() {
    for pause_ms in [0, 2, 5, 10, 20, 40, 80] {
        let mut hub = Hub::unguarded(json!({ "servers": stubborn() }));
        tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
        processes::signal(hub.pid, Signal::KILL);
        assert_eq!(hub.stopped(), None);
        until("every process behind the hub ends", 20, async || {
            let left = hub.processes();
            if left.is_empty() { Ok(()) } else { Err(format!("killed after {pause_ms} ms: {left:?}")) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_how_a_server_with_children_ended_is_told_as_it_was() {
    let hub = Hub::with(json!({ "parent": bad(&["spawn-grandchild"]) }));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let family = family(&client, "parent__pids").await;
    processes::signal(family[0], Signal::KILL);
    let log = until("its end is told", 15, async || {
        let log = hub.log();
        if log.contains("process ended") { Ok(log) } else { Err(log) }
    })
    .await;
    assert!(!log.contains("No child processes") && !log.contains("127"), "{log}");
}
