//! The bounds of the loop, with tools made to strain them.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, DuplexStream, Lines, ReadHalf, WriteHalf};

use super::*;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// How many calls of one tool run, and how many ever did at once.
#[derive(Default)]
struct Load {
    running: AtomicUsize,
    peak: AtomicUsize,
}

fn strained(load: &Arc<Load>) -> Server {
    let signature = |name| Signature::new(name, Hints::READS, "for the test");
    let works = |load: Arc<Load>, _: Nothing, _: Cancel| -> BoxFuture<'static, Answer> {
        async move {
            let running = load.running.fetch_add(1, Ordering::SeqCst) + 1;
            load.peak.fetch_max(running, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            load.running.fetch_sub(1, Ordering::SeqCst);
            Ok(Outcome::text("worked"))
        }
        .boxed()
    };
    let waits = |_: Arc<Load>, _: Nothing, _: Cancel| -> BoxFuture<'static, Answer> { std::future::pending().boxed() };
    let panics =
        |_: Arc<Load>, _: Nothing, _: Cancel| -> BoxFuture<'static, Answer> { async { panic!("on purpose") }.boxed() };
    let tools = vec![
        signature("works").asynchronous(load, works),
        signature("waits").asynchronous(load, waits),
        signature("panics").asynchronous(load, panics),
        signature("panics_blocking").blocking(load, |_: &Load, _: Nothing, _: &Cancel| panic!("on purpose")),
    ];
    Server { name: "strained", title: "Strained", instructions: String::new(), tools, resources: None }
}

struct Peer {
    writer: WriteHalf<DuplexStream>,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
}

impl Peer {
    async fn start(load: &Arc<Load>) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (reader, writer) = tokio::io::split(theirs);
        drop(tokio::spawn(serve(strained(load), reader, writer)));
        let (reader, writer) = tokio::io::split(ours);
        let mut peer = Self { writer, lines: BufReader::new(reader).lines() };
        peer.send(json!({"id": "hello", "method": "initialize", "params": {"protocolVersion": "2025-11-25"}})).await;
        assert_eq!(peer.receive().await["id"], "hello");
        peer
    }

    async fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = json!("2.0");
        self.writer.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn call(&mut self, id: impl Into<Value>, tool: &str) {
        let params = json!({"name": tool, "arguments": {}});
        self.send(json!({"id": id.into(), "method": "tools/call", "params": params})).await;
    }

    async fn cancel(&mut self, id: impl Into<Value>) {
        self.send(json!({"method": "notifications/cancelled", "params": {"requestId": id.into()}})).await;
    }

    async fn receive(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn as_many_requests_run_at_once_as_the_bound_says_and_the_others_wait() {
    let load = Arc::new(Load::default());
    let mut peer = Peer::start(&load).await;
    for id in 0..100 {
        peer.call(id, "works").await;
    }
    for _ in 0..100 {
        assert_eq!(peer.receive().await["result"]["content"][0]["text"], "worked");
    }
    assert_eq!(load.peak.load(Ordering::SeqCst), RUNNING_MAX);
}

#[tokio::test]
async fn a_cancellation_is_heard_when_every_place_is_taken_and_frees_one() {
    let mut peer = Peer::start(&Arc::default()).await;
    for id in 0..RUNNING_MAX {
        peer.call(id, "waits").await;
    }
    peer.call("next", "works").await;
    peer.call("dropped", "works").await;
    peer.cancel("dropped").await;
    peer.cancel("never sent").await;
    peer.cancel(3).await;
    assert_eq!(peer.receive().await["id"], "next");
    // The id is free again, and a running one is not taken twice.
    peer.call(3, "works").await;
    assert_eq!(peer.receive().await["id"], 3);
    peer.call(4, "works").await;
    let refused = peer.receive().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(4), &json!(INVALID_REQUEST)));
}

#[tokio::test]
async fn what_is_over_the_bound_of_waiting_requests_is_refused_at_once() {
    let mut peer = Peer::start(&Arc::default()).await;
    for id in 0..PENDING_MAX {
        peer.call(id, "waits").await;
    }
    peer.call("over", "works").await;
    let refused = peer.receive().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!("over"), &json!(INTERNAL_ERROR)));
    for id in 0..RUNNING_MAX {
        peer.cancel(id).await;
    }
    for id in RUNNING_MAX..PENDING_MAX {
        peer.cancel(id).await;
    }
    peer.call("after", "works").await;
    assert_eq!(peer.receive().await["id"], "after");
}

#[tokio::test]
async fn a_tool_that_panics_harms_only_its_own_call() {
    let mut peer = Peer::start(&Arc::default()).await;
    peer.call(1, "panics").await;
    assert_eq!(peer.receive().await["error"]["code"], INTERNAL_ERROR);
    peer.call(2, "panics_blocking").await;
    assert_eq!(peer.receive().await["result"]["isError"], true);
    peer.call(3, "works").await;
    assert_eq!(peer.receive().await["result"]["isError"], false);
}

#[tokio::test]
async fn the_server_ends_when_nobody_reads_its_answers() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let (reader, _still_open) = tokio::io::duplex(1024);
    let serving = tokio::spawn(serve(strained(&Arc::default()), reader, theirs));
    let (mut input, _) = (_still_open, drop(ours));
    input.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), serving).await.unwrap().unwrap().unwrap();
}
