//! Whom a message that came on a channel is given to.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use omni_protocol::{Message, Method};

use super::BATCH_MAX;
use crate::channel::{Channel, ChannelCall, Port};
use crate::error::LinkError;
use crate::outgoing::Outgoing;

type Heard = Arc<Mutex<Vec<String>>>;

fn channel() -> (Channel, Port, Heard) {
    let (channel, port) = Channel::new("s");
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    channel.on_unasked(Box::new(move |message| hears.lock().unwrap().push(text(&message))));
    (channel, port, heard)
}

fn text(message: &Message) -> String {
    std::str::from_utf8(message.bytes()).unwrap().to_owned()
}

async fn call(channel: &Channel, id: u64, method: Method) -> ChannelCall {
    let body = Bytes::from_static(b"{}");
    let outgoing = Outgoing { body, id, method, name: None, headers: Vec::new(), progress_token: None };
    channel.call(outgoing).await.unwrap()
}

fn answer(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
}

const ASKED: &str = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}"#;
const LOGGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;

#[tokio::test]
async fn val_1_the_answers_of_a_batch_go_each_to_its_call() {
    let (channel, port, heard) = channel();
    let (one, two) = (call(&channel, 1, Method::ToolsCall).await, call(&channel, 2, Method::ToolsCall).await);
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    let batch = format!("[{},17,{changed},{},{}]", answer(2), answer(99), answer(1));
    port.demux.receive(batch.into()).unwrap();
    assert_eq!(text(&one.next().await.unwrap()), answer(1));
    assert_eq!(text(&two.next().await.unwrap()), answer(2));
    assert_eq!(*heard.lock().unwrap(), [changed]);
    port.demux.receive("[]".into()).unwrap();
    port.demux.receive("[broken".into()).unwrap();
    assert!(channel.is_alive());
}

#[tokio::test]
async fn trb_4_a_batch_past_the_bound_ends_the_channel_by_name() {
    let (channel, port, _) = channel();
    let one = call(&channel, 1, Method::ToolsCall).await;
    let batch = format!("[{}{}]", "{},".repeat(BATCH_MAX), answer(1));
    let error = port.demux.receive(batch.into()).unwrap_err();
    assert!(error.to_string().contains("more than 1000 messages"), "{error}");
    port.demux.end(&error);
    assert_eq!(one.next().await.unwrap_err(), error);
    assert!(!channel.is_alive());
}

#[tokio::test]
async fn gw_1_what_a_server_asks_belongs_to_the_only_call_in_flight() {
    let (channel, port, heard) = channel();
    // The hub's own questions are no client's.
    let _listing = call(&channel, 1, Method::List(omni_protocol::ListKind::Tools)).await;
    port.demux.receive(ASKED.into()).unwrap();
    assert_eq!(heard.lock().unwrap().len(), 1);

    let one = call(&channel, 2, Method::ToolsCall).await;
    port.demux.receive(ASKED.into()).unwrap();
    port.demux.receive(LOGGED.into()).unwrap();
    assert_eq!((text(&one.next().await.unwrap()), text(&one.next().await.unwrap())), (ASKED.into(), LOGGED.into()));

    let other = call(&channel, 3, Method::PromptsGet).await;
    port.demux.receive(ASKED.into()).unwrap();
    port.demux.receive(LOGGED.into()).unwrap();
    assert_eq!(*heard.lock().unwrap(), [ASKED, ASKED, LOGGED]);
    port.demux.receive(answer(2).into()).unwrap();
    drop(one);
    port.demux.receive(ASKED.into()).unwrap();
    assert_eq!(text(&other.next().await.unwrap()), ASKED);
}

#[tokio::test]
async fn gw_1_a_question_after_a_cancelled_call_is_not_put_to_the_next_client() {
    let (channel, port, heard) = channel();
    let hubs_own = call(&channel, 1, Method::List(omni_protocol::ListKind::Tools)).await;
    let (cancelled, other) = (call(&channel, 2, Method::ToolsCall).await, call(&channel, 3, Method::ToolsCall).await);
    drop((hubs_own, cancelled));
    // The server did not heed the cancellation, and asks about the call that was let go.
    port.demux.receive(ASKED.into()).unwrap();
    port.demux.receive(LOGGED.into()).unwrap();
    assert_eq!(*heard.lock().unwrap(), [ASKED, LOGGED]);
    // Its late answer says that it is done with it.
    port.demux.receive(answer(2).into()).unwrap();
    port.demux.receive(ASKED.into()).unwrap();
    assert_eq!(text(&other.next().await.unwrap()), ASKED);
}

#[tokio::test]
async fn emg_1_questions_that_nobody_reads_are_refused_not_kept() {
    let (channel, mut port, _) = channel();
    let _call = call(&channel, 1, Method::ToolsCall).await;
    for _ in 0..300 {
        port.demux.receive(ASKED.into()).unwrap();
    }
    let _own_request = port.queue.next().await.unwrap();
    let refusal = port.queue.next().await.unwrap();
    let refusal = std::str::from_utf8(&refusal.message).unwrap().to_owned();
    assert!(refusal.contains(r#""id":"q""#) && refusal.contains("-32603"), "{refusal}");
}

#[tokio::test]
async fn emg_1_a_call_after_the_end_learns_why() {
    let (channel, port, _) = channel();
    port.demux.end(&LinkError::Disconnected { why: "the test said so".to_owned() });
    let body = Bytes::from_static(b"{}");
    let outgoing =
        Outgoing { body, id: 1, method: Method::ToolsCall, name: None, headers: Vec::new(), progress_token: None };
    let error = channel.call(outgoing).await.unwrap_err();
    assert!(error.to_string().contains("the test said so"), "{error}");
}
