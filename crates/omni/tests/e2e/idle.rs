//! Sessions that do nothing: what they cost, that they hold up nobody, and that all of it is given back (GW-1, TRB-4).

use ::http::Method;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::http::{self, Events};
use crate::harness::{Client, Era, Hub, bad, processes, until};

/// Sessions with an open stream each; `OMNI_IDLE_SESSIONS` for more, by hand.
const SESSIONS: usize = 1_000;
/// Opened at a time.
const AT_A_TIME: usize = 32;
/// Descriptors beside those of the sessions.
const DESCRIPTORS_MORE: u64 = 512;
/// Resident memory of one of them, in a debug build, too.
const KIB_MAX: usize = 40;

/// As many descriptors as the test and the hub (which inherits it) need.
fn raise_descriptors(wanted: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_thousand_idle_sessions_cost_little_and_give_everything_back() {
    let sessions = std::env::var("OMNI_IDLE_SESSIONS").map_or(SESSIONS, |count| count.parse().unwrap());
    raise_descriptors(sessions as u64 + DESCRIPTORS_MORE);
    let hub = std::sync::Arc::new(Hub::with(json!({ "echo": bad(&["hang"]) })));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    assert_eq!(client.text("echo__echo", json!({ "text": "x" })).await, "x");
    let before = (processes::descriptors(hub.pid), processes::resident_kib(hub.pid));

    let (mut opening, mut open) = (JoinSet::new(), Vec::new());
    for _ in 0..sessions {
        if opening.len() >= AT_A_TIME {
            open.push(opening.join_next().await.unwrap().unwrap());
        }
        let its = std::sync::Arc::clone(&hub);
        opening.spawn(async move {
            let client = Client::open(&its, "/mcp", Era::Legacy).await;
            let headers = [("accept", "text/event-stream"), ("mcp-session-id", client.session.as_deref().unwrap())];
            let request = http::request(Method::GET, its.address, "/mcp", &headers, "");
            let mut events = Events::of(http::begin(its.address, request).await);
            assert!(events.event().await.unwrap().data.is_empty(), "the event that begins a stream");
            (client, events)
        });
    }
    while let Some(done) = opening.join_next().await {
        open.push(done.unwrap());
    }
    assert_eq!(hub.ready().await["sessions"].as_u64().unwrap() as usize, sessions + 1);
    let kib = processes::resident_kib(hub.pid).saturating_sub(before.1);
    eprintln!("{sessions} idle sessions: {:.1} KiB each", kib as f64 / sessions as f64);
    assert!(kib <= sessions * KIB_MAX, "{kib} KiB for {sessions} sessions");
    assert_eq!(client.text("echo__echo", json!({ "text": "x" })).await, "x");

    // What concerns all of them reaches all of them.
    let config = json!({ "servers": { "echo": bad(&["hang"]) }, "policy": { "deny": ["echo:misbehave"] } });
    hub.reconfigure(config);
    for (_, events) in &mut open {
        assert!(events.event().await.unwrap().data.contains("list_changed"));
    }
    let mut ending = JoinSet::new();
    for (client, events) in open {
        if ending.len() >= AT_A_TIME {
            ending.join_next().await.unwrap().unwrap();
        }
        ending.spawn(async move {
            assert_eq!(client.delete().await, 200);
            drop(events);
        });
    }
    while let Some(done) = ending.join_next().await {
        done.unwrap();
    }
    until("everything is given back", 30, async || {
        let (now, left) = (processes::descriptors(hub.pid), hub.ready().await["sessions"].clone());
        if now <= before.0 + 8 && left == 1 { Ok(()) } else { Err(format!("{now} of {before:?}, {left} sessions")) }
    })
    .await;
}
