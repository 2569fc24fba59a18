//! GW-1: a connection that breaks. Up to 2025-11-25 the call goes on and the client takes its stream up again; with
//! 2026-07-28 a call ends with its connection.

use ::http::Method;
use serde_json::{Value, json};

use crate::harness::http::{self, Events};
use crate::harness::puppet::Puppet;
use crate::harness::{Client, Era, Hub, in_time};

const PATH: &str = "/mcp";

async fn hub(puppet: &Puppet, window_s: u64) -> Hub {
    let gateway = json!({ "resume_window_s": window_s });
    let hub = Hub::configured(json!({ "servers": { "p": puppet.entry() }, "gateway": gateway }));
    hub.awake().await;
    hub
}

fn call() -> Value {
    json!({ "name": "p__wait", "arguments": {}, "_meta": { "progressToken": "t" } })
}

/// Takes a stream up again.
async fn resume(hub: &Hub, client: &Client, last: &str) -> ::http::Response<hyper::body::Incoming> {
    let session = client.session.as_deref().unwrap();
    let headers = [("accept", "text/event-stream"), ("mcp-session-id", session), ("last-event-id", last)];
    http::begin(hub.address, http::request(Method::GET, hub.address, PATH, &headers, "")).await
}

async fn progress(events: &mut Events, step: u64) -> String {
    let event = events.event().await.expect("the stream ended");
    let message: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(message["params"]["progress"], step, "{message}");
    assert_eq!(message["params"]["progressToken"], "t", "{message}");
    event.id.expect("an id")
}

async fn answer(events: &mut Events, text: &str) {
    let message = events.message().await;
    assert_eq!(message["result"]["content"][0]["text"], text, "{message}");
    assert!(events.event().await.is_none(), "a stream ends with the answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_broken_stream_is_taken_up_again_and_nothing_comes_twice_or_is_lost() {
    let mut puppet = Puppet::start().await;
    let hub = hub(&puppet, 60).await;
    let client = Client::open(&hub, PATH, Era::Legacy).await;
    let (mut events, call) = {
        let asking = client.listen("tools/call", call());
        let (events, call) = tokio::join!(asking, async {
            let call = puppet.call().await;
            call.progress(1);
            call
        });
        (events, call)
    };
    let first = events.event().await.unwrap();
    assert!(first.data.is_empty() && first.id.is_some() && first.retry.is_some(), "{first:?}");
    let seen = progress(&mut events, 1).await;
    call.progress(2);
    // Two is on its way when the connection breaks; three and four come while nobody listens.
    drop(events);
    call.progress(3);
    call.progress(4);
    let mut again = Events::of(resume(&hub, &client, &seen).await);
    for step in 2..=4 {
        progress(&mut again, step).await;
    }
    call.progress(5);
    let last = progress(&mut again, 5).await;
    // Another connection takes over while this one is open still: one stream carries a message.
    let mut third = Events::of(resume(&hub, &client, &last).await);
    assert!(again.event().await.is_none());
    assert!(!call.is_cancelled());
    call.answer("done");
    answer(&mut third, "done").await;
    // The answer, too, may have been lost on its way.
    answer(&mut Events::of(resume(&hub, &client, &last).await), "done").await;
    let mut whole = Events::of(resume(&hub, &client, &first.id.unwrap()).await);
    for step in 1..=5 {
        progress(&mut whole, step).await;
    }
    answer(&mut whole, "done").await;
    assert_eq!(puppet.cancelled(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_the_first_connection_is_taken_over_while_it_is_open_still() {
    let mut puppet = Puppet::start().await;
    let hub = hub(&puppet, 60).await;
    let client = Client::open(&hub, PATH, Era::Legacy).await;
    let asking = client.listen("tools/call", call());
    let (mut events, call) = tokio::join!(asking, async {
        let call = puppet.call().await;
        call.progress(1);
        call
    });
    let prime = events.event().await.unwrap().id.unwrap();
    let mut second = Events::of(resume(&hub, &client, &prime).await);
    progress(&mut second, 1).await;
    call.progress(2);
    progress(&mut second, 2).await;
    call.answer("done");
    answer(&mut second, "done").await;
    // What the first had before is all it has.
    let mut rest = Vec::new();
    while let Some(event) = events.event().await {
        rest.push(event.data);
    }
    assert!(rest.len() <= 1 && rest.iter().all(|data| data.contains("step 1")), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_call_that_takes_long_becomes_a_stream_that_can_be_taken_up_again() {
    let mut puppet = Puppet::start().await;
    let hub = hub(&puppet, 60).await;
    let client = Client::open(&hub, PATH, Era::Legacy).await;
    let (mut events, call) = tokio::join!(client.listen("tools/call", call()), puppet.call());
    let prime = events.event().await.unwrap();
    assert!(prime.data.is_empty());
    drop(events);
    let mut again = Events::of(resume(&hub, &client, &prime.id.unwrap()).await);
    call.answer("at last");
    answer(&mut again, "at last").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_a_call_whose_client_does_not_come_back_is_cancelled_after_the_window() {
    let mut puppet = Puppet::start().await;
    let hub = hub(&puppet, 2).await;
    let client = Client::open(&hub, PATH, Era::Legacy).await;
    // Before anything came, and after a part of the stream.
    for begun in [false, true] {
        let call = {
            let (body, _) = client.message("tools/call", call());
            let asking = http::begin(hub.address, client.request(&body, &[]));
            let mut asking = std::pin::pin!(asking);
            let call = tokio::select! {
                call = puppet.call() => call,
                answer = asking.as_mut() => panic!("answered: {:?}", answer.status()),
            };
            if begun {
                call.progress(1);
                let answer = in_time("the stream", asking).await;
                assert_eq!(answer.status(), 200);
            }
            call
        };
        // The connection is gone; the call is not, at once.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert!(!call.is_cancelled());
        call.until_cancelled().await;
    }
    assert_eq!(puppet.cancelled(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_with_2026_07_28_and_without_a_window_a_disconnect_cancels_at_once() {
    let mut puppet = Puppet::start().await;
    let without = hub(&puppet, 0).await;
    let with = hub(&puppet, 3600).await;
    for (hub, era) in [(&with, Era::Modern), (&without, Era::Modern), (&without, Era::Legacy)] {
        let client = Client::open(hub, PATH, era).await;
        for begun in [false, true] {
            let (body, headers) = client.message("tools/call", call());
            let mut headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            // It says nothing to this revision.
            headers.push(("last-event-id", "c1-1"));
            let asking = http::begin(hub.address, client.request(&body, &headers));
            let mut asking = Box::pin(asking);
            let call = tokio::select! {
                call = puppet.call() => call,
                answer = asking.as_mut() => panic!("answered: {:?}", answer.status()),
            };
            let mut events = None;
            if begun {
                call.progress(1);
                let mut begun = Events::of(in_time("the stream", asking.as_mut()).await);
                let event = begun.event().await.unwrap();
                assert!(event.id.is_none() && event.data.contains("step 1"), "{event:?}");
                events = Some(begun);
            }
            drop((asking, events));
            call.until_cancelled().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_the_end_of_a_session_ends_what_is_kept_for_it() {
    let mut puppet = Puppet::start().await;
    let hub = hub(&puppet, 3600).await;
    let client = Client::open(&hub, PATH, Era::Legacy).await;
    let asking = client.listen("tools/call", call());
    let (mut events, call) = tokio::join!(asking, async {
        let call = puppet.call().await;
        call.progress(1);
        call
    });
    let prime = events.event().await.unwrap().id.unwrap();
    drop(events);
    assert_eq!(client.delete().await, 200);
    call.until_cancelled().await;
    assert_eq!(resume(&hub, &client, &prime).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_event_ids_of_nowhere_are_refused_and_the_sessions_own_stream_goes_on() {
    let puppet = Puppet::start().await;
    let hub = hub(&puppet, 60).await;
    let (one, other) = (Client::open(&hub, PATH, Era::Legacy).await, Client::open(&hub, PATH, Era::Legacy).await);
    let mut events = one.stream().await;
    let prime = events.event().await.unwrap();
    assert!(prime.data.is_empty() && prime.retry.is_some());
    for (last, status) in [("nonsense", 400), ("c1-1", 400), ("c99-1", 400), ("s99-1", 200)] {
        assert_eq!(resume(&hub, &one, last).await.status(), status, "{last}");
        assert_eq!(resume(&hub, &other, last).await.status(), status, "{last}");
    }
    // What comes while nobody listens, and what was sent on a connection that broke.
    drop(events);
    hub.reconfigure(json!({ "servers": { "p": puppet.entry() }, "policy": { "deny": ["p:nothing"] } }));
    let mut again = Events::of(resume(&hub, &one, &prime.id.unwrap()).await);
    let first = again.event().await.unwrap();
    assert!(first.data.contains("list_changed"), "{first:?}");
    let second = again.event().await.unwrap();
    assert_ne!(first.data, second.data);
    drop(again);
    let mut third = Events::of(resume(&hub, &one, first.id.as_deref().unwrap()).await);
    assert_eq!(third.event().await.unwrap().data, second.data, "what was missed comes again, what was had does not");
}
