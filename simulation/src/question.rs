//! How a simulated server asks its client something in the middle of a call, in its own era.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::conversation::{Body, events, one};
use crate::planted::Planted;
use crate::server::question_id;
use crate::work::Work;

/// What it asks.
fn question(work: &Work) -> Value {
    // With a fault planted: another call's question.
    let of = work.call + u64::from(work.server.plan.has(Planted::QuestionOfAnother));
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    json!({"message": format!("call {of}"), "requestedSchema": schema})
}

/// The state that a server of 2026-07-28 gives its client.
fn state(call: u64) -> String {
    format!("state of {call}")
}

/// Asks, and answers the call with `good` once it is answered.
pub(crate) fn ask(work: Work, message: &Value, session: Option<String>, good: Value) -> Response<Body> {
    work.server.book.note(&format!("{} asks something in call {}", work.server.name, work.call));
    match session {
        Some(session) => in_its_stream(work, &session, good),
        None => in_its_answer(work, message, good),
    }
}

/// An earlier revision: a request in the call's own stream, whose answer is posted.
fn in_its_stream(work: Work, session: &str, good: Value) -> Response<Body> {
    let (sender, receiver) = mpsc::channel(2);
    let answered = work.server.asks(session, work.call);
    let id = question_id(work.call);
    let asked = json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": question(&work)});
    tokio::spawn(async move {
        // All of it, not only what is written here: it ends with this task.
        let mut work = work;
        if sender.send(Bytes::from(asked.to_string())).await.is_err() {
            return;
        }
        let answer = tokio::select! {
            biased;
            answer = answered => answer,
            () = sender.closed() => return,
        };
        // Without one the call was cancelled, or its session is over.
        let Ok(answer) = answer else { return };
        judge(&work, &answer);
        work.done = sender.send(Bytes::from(good.to_string())).await.is_ok();
    });
    events(receiver)
}

/// 2026-07-28: an answer that wants more; the call is made again with it.
fn in_its_answer(mut work: Work, message: &Value, good: Value) -> Response<Body> {
    let (id, params) = (&message["id"], &message["params"]);
    work.done = true;
    if params.get("inputResponses").is_none() {
        let request = json!({"method": "elicitation/create", "params": question(&work)});
        let result = json!({
            "resultType": "input_required", "inputRequests": {"it": request}, "requestState": state(work.call),
        });
        return one(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "result": result}));
    }
    if params["requestState"] != json!(state(work.call)) {
        let error = json!({"code": -32602, "message": "that is no state of this call"});
        return one(StatusCode::OK, &json!({"jsonrpc": "2.0", "id": id, "error": error}));
    }
    judge(&work, &params["inputResponses"]["it"]);
    one(StatusCode::OK, &good)
}

/// The answer must be the one that the client of this call gave.
fn judge(work: &Work, answer: &Value) {
    let (server, call) = (&work.server, work.call);
    let given = &answer["content"]["name"];
    server.book.note(&format!("{} is told {given} in call {call}", server.name));
    if *given != json!(call) || server.plan.has(Planted::AnswerToAnother) {
        server.book.wrong(format!("the answer to the question of call {call} is {answer}"));
    }
}
