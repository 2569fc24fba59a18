//! How a simulated server answers one call: at once, late, with progress before, wrongly, in pieces, or never.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::conversation::{Body, empty, events, one};
use crate::planted::Planted;
use crate::question;
use crate::server::Server;
use crate::work::Work;

/// Longer than any deadline of the hub's.
const NEVER: Duration = Duration::from_secs(3_600);
/// An answer in time comes before this.
const ANSWER_MS: u64 = 3_000;

pub(crate) async fn answer(server: Arc<Server>, message: &Value, session: Option<String>) -> Response<Body> {
    let call = message["params"]["arguments"]["call"].as_u64().unwrap_or_default();
    let (id, legacy) = (message["id"].clone(), session.is_some());
    let chance = server.chance.fork();
    // A call that comes again with what it was asked for is the same one.
    if message["params"].get("inputResponses").is_none() {
        for _ in 0..=u8::from(server.plan.has(Planted::CallTwice)) {
            server.book.asked(call, legacy);
        }
    }
    server.book.note(&format!("{} is asked for call {call}", server.name));
    server.begins(session.as_deref().unwrap_or_default(), &id, call);
    let mut work = Work { server: Arc::clone(&server), call, done: false };
    let tool = message["params"]["name"].as_str().unwrap_or_default().to_owned();
    let text = format!("{}/{tool}/{call}", server.name);
    let result = json!({"resultType": "complete", "content": [{"type": "text", "text": text}]});
    let good = json!({"jsonrpc": "2.0", "id": id, "result": result});
    let misbehaves = !server.is_quiet() && chance.percent(server.plan.misbehaved);
    if misbehaves {
        return misbehave(work, &chance, good).await;
    }
    if message["params"]["arguments"]["asks"] == json!(true) {
        return question::ask(work, message, session, good);
    }
    let wait = chance.ms(if server.is_quiet() { 50 } else { ANSWER_MS });
    let token = message["params"]["_meta"]["progressToken"].clone();
    if token.is_null() || chance.percent(50) {
        tokio::time::sleep(wait).await;
        work.done = true;
        return one(StatusCode::OK, &good);
    }
    let (sender, receiver) = mpsc::channel(1);
    let steps = 1 + chance.below(3);
    tokio::spawn(async move {
        // All of it, not only what is written here: it ends with this task.
        let mut work = work;
        for step in 0..steps {
            // With a fault planted: another call's token.
            let token = if work.server.plan.has(Planted::ProgressOfAnother) { json!(step) } else { token.clone() };
            let params = json!({"progressToken": token, "progress": step, "message": call.to_string()});
            let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params});
            if sender.send(Bytes::from(progress.to_string())).await.is_err() {
                return;
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait / 2) => {}
                () = sender.closed() => return,
            }
        }
        work.done = sender.send(Bytes::from(good.to_string())).await.is_ok();
    });
    events(receiver)
}

async fn misbehave(mut work: Work, chance: &crate::chance::Chance, good: Value) -> Response<Body> {
    let kind = chance.below(7);
    work.server.book.note(&format!("call {} is answered badly, {kind}", work.call));
    match kind {
        0 => {
            tokio::time::sleep(NEVER).await;
            empty(StatusCode::GATEWAY_TIMEOUT)
        }
        1 => {
            work.done = true;
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
        2 => {
            // Another's id.
            work.done = true;
            let mut other = good;
            other["id"] = json!(999_999);
            one(StatusCode::OK, &other)
        }
        3 => {
            work.done = true;
            let mut response = one(StatusCode::OK, &json!({"half": "a message"}));
            response.headers_mut().remove("content-type");
            response
        }
        4 => {
            // A stream that ends before the answer.
            work.done = true;
            let (sender, receiver) = mpsc::channel(1);
            drop(sender);
            events(receiver)
        }
        5 => {
            // A stream on which nothing comes.
            let (sender, receiver) = mpsc::channel::<Bytes>(1);
            tokio::spawn(async move {
                sender.closed().await;
                drop(work);
            });
            events(receiver)
        }
        _ => {
            // The answer twice.
            work.done = true;
            let (sender, receiver) = mpsc::channel(2);
            for _ in 0..2 {
                let _there_is_room = sender.try_send(Bytes::from(good.to_string()));
            }
            events(receiver)
        }
    }
}
