//! What waits is bounded, in order, and says that something changed as long as that was not heard.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use omni_protocol::ListKind;
use serde_json::{Value, json};

use super::{LINES_MAX, Outbox, REQUESTS_MAX, UPDATE_BYTES_MAX, UPDATES_MAX};

/// All that waits.
async fn drain(outbox: &Outbox) -> Vec<Value> {
    outbox.end();
    let mut all = Vec::new();
    while let Some(message) = outbox.next().await {
        all.push(serde_json::from_slice(&message).unwrap());
    }
    all
}

fn update(outbox: &Outbox, uri: &str, params: Option<&str>) {
    let uri: Arc<str> = uri.into();
    outbox.updated(&uri, &uri, params.map(str::to_owned));
}

#[tokio::test]
async fn changes_are_said_once_in_the_order_of_the_first_and_with_the_words_of_the_last() {
    let outbox = Outbox::default();
    outbox.changed(ListKind::Tools);
    update(&outbox, "a:1", Some(r#"{"uri":"a:1","n":1}"#));
    update(&outbox, "a:2", None);
    outbox.changed(ListKind::Tools);
    update(&outbox, "a:1", Some(r#"{"uri":"a:1","n":2}"#));
    let updated =
        |params: Value| json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params });
    assert_eq!(
        drain(&outbox).await,
        [
            json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }),
            updated(json!({ "uri": "a:1", "n": 2 })),
            updated(json!({ "uri": "a:2" })),
        ]
    );
}

#[tokio::test]
async fn a_change_after_the_client_heard_is_said_again() {
    let outbox = Outbox::default();
    for _ in 0..2 {
        outbox.changed(ListKind::Prompts);
        update(&outbox, "a:1", None);
        assert!(outbox.next().await.is_some() && outbox.next().await.is_some());
    }
    assert!(drain(&outbox).await.is_empty());
}

#[tokio::test]
async fn on_the_stream_of_a_listen_everything_names_it() {
    let outbox = Outbox::of_listen(r#""l-1""#);
    outbox.changed(ListKind::Resources);
    update(&outbox, "a:1", Some(r#"{"uri":"a:1","_meta":{"x":1}}"#));
    let key = "io.modelcontextprotocol/subscriptionId";
    let all = drain(&outbox).await;
    assert_eq!(all[0]["params"], json!({ "_meta": { key: "l-1" } }));
    assert_eq!(all[1]["params"], json!({ "uri": "a:1", "_meta": { "x": 1, key: "l-1" } }));
}

#[tokio::test]
async fn what_a_server_asks_is_refused_rather_than_dropped() {
    let outbox = Outbox::default();
    let request = |n: usize| Bytes::from(json!({ "jsonrpc": "2.0", "id": n, "method": "roots/list" }).to_string());
    for n in 0..REQUESTS_MAX {
        assert!(outbox.request(&request(n)));
    }
    assert!(!outbox.request(&request(REQUESTS_MAX)));
    // Whatever else comes, none of those that were taken gives way.
    for n in 0..2 * LINES_MAX {
        outbox.line(&Bytes::from(json!({ "line": n }).to_string()));
        update(&outbox, &format!("a:{n}"), None);
    }
    let all = drain(&outbox).await;
    assert_eq!(all.iter().filter(|message| message["method"] == "roots/list").count(), REQUESTS_MAX);
    let first = all[0]["params"]["data"].as_str().unwrap();
    assert!(first.starts_with(&format!("{LINES_MAX} log messages were left out")), "{first}");
    let lines: Vec<_> = all.iter().filter_map(|message| message["line"].as_u64()).collect();
    assert_eq!(lines, (LINES_MAX as u64..2 * LINES_MAX as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn updates_past_the_bounds_are_said_of_the_whole_and_without_words() {
    let outbox = Outbox::default();
    let whole: Arc<str> = "a:/".into();
    for n in 0..2 * UPDATES_MAX {
        let part: Arc<str> = format!("a:/{n}").into();
        outbox.updated(&part, &whole, Some(format!(r#"{{"uri":"a:/{n}","words":"{}"}}"#, "w".repeat(1_000))));
    }
    assert!(outbox.lock().update_bytes <= UPDATE_BYTES_MAX);
    let all = drain(&outbox).await;
    assert_eq!(all.len(), UPDATES_MAX + 1);
    assert_eq!(all.last().unwrap()["params"], json!({ "uri": "a:/" }));
    assert!(all[0]["params"]["words"].is_string() && all[UPDATES_MAX - 1]["params"]["words"].is_null());
    assert_eq!(outbox.lock().update_bytes, 0);
}
