//! How a simulated client calls: it waits, lets go, cancels, hears what comes before the answer, and judges the answer.

use std::time::Duration;

use bytes::Bytes;
use omni_hub::Reply;
use omni_hub::stage::SanitizedStream;
use omni_types::Fault;
use serde_json::{Value, json};

use crate::client::{Client, End, parse};
use crate::plan::{CALL_WAIT_MAX, INPUT_WAIT};
use crate::planted::Planted;

/// A call that is let go is let go before this.
const PATIENCE_MS: u64 = 4_000;
/// A call that was cancelled ends within this.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) number: u64,
    pub(crate) message: Value,
    /// The text of its answer.
    pub(crate) text: String,
}

/// What came of one exchange.
#[derive(Debug)]
pub(crate) enum Heard {
    End(End),
    /// The server wants to know something first.
    Asked(Value),
}

impl Client {
    /// A call of one tool of one server.
    fn new_call(&self) -> Call {
        let number = self.world.book.new_call();
        let server = usize::try_from(self.chance.below(self.world.servers.len() as u64)).unwrap_or(0);
        let server = &self.world.servers[server].name;
        let mut params = json!({"name": format!("{server}__t0"), "arguments": {"call": number}});
        if self.able && self.chance.percent(self.world.plan.asking) {
            params["arguments"]["asks"] = json!(true);
        }
        if self.chance.percent(60) {
            params["_meta"] = json!({"progressToken": format!("token {number}")});
        }
        let id = if self.chance.percent(50) { json!(number) } else { json!(format!("id {number}")) };
        let message = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        self.world.book.note(&format!("{} makes call {number} to {server}", self.name));
        Call { number, message, text: format!("{server}/t0/{number}") }
    }

    /// Calls one tool of one server; perhaps it does not wait for the answer.
    pub(crate) async fn call(&self) -> End {
        let book = &self.world.book;
        let call = self.new_call();
        let number = call.number;
        let patience = self.chance.ms(PATIENCE_MS);
        let how = self.chance.below(100);
        let mut exchange = std::pin::pin!(self.exchange(&call));
        let end = match how {
            0..15 => match tokio::time::timeout(patience, exchange).await {
                Ok(end) => end,
                Err(_) => {
                    book.note(&format!("{} lets call {number} go", self.name));
                    self.world.abandoned(number);
                    End::Refused
                }
            },
            15..30 if self.session.is_some() => match tokio::time::timeout(patience, &mut exchange).await {
                Ok(end) => end,
                // There is no cancelling in a session that has ended.
                Err(_) if self.session_has_ended() => End::Refused,
                Err(_) => {
                    let params = json!({"requestId": call.message["id"]});
                    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
                    drop(self.send(&cancel).await);
                    book.note(&format!("{} cancels call {number}", self.name));
                    self.world.abandoned(number);
                    // A user who thinks hears nothing in the meantime.
                    let asks = call.message["params"]["arguments"]["asks"] == json!(true);
                    let limit = if asks { CANCEL_WAIT + INPUT_WAIT } else { CANCEL_WAIT };
                    self.within(limit, "a cancelled call", exchange).await.unwrap_or(End::Lost)
                }
            },
            _ => exchange.await,
        };
        book.note(&format!("{}: call {number} is {end:?}", self.name));
        end
    }

    async fn exchange(&self, call: &Call) -> End {
        match self.ask(call).await {
            Heard::End(end) => end,
            Heard::Asked(result) => Box::pin(self.asked(call, &result)).await,
        }
    }

    /// Sends a call's message; what comes back.
    pub(crate) async fn ask(&self, call: &Call) -> Heard {
        let what = format!("call {}", call.number);
        if self.world.plan.has(Planted::NoAnswer) {
            self.within(CALL_WAIT_MAX, &what, std::future::pending::<()>()).await;
            return Heard::End(End::Lost);
        }
        let Some(reply) = self.within(CALL_WAIT_MAX, &what, self.send(&call.message)).await else {
            return Heard::End(End::Lost);
        };
        match reply {
            Reply::Answer(answer) => {
                let (first, rest, _) = answer.into_parts();
                match rest {
                    None => self.answer(&first, call),
                    Some(rest) => self.follow(first, *rest, call).await,
                }
            }
            Reply::Failed { fault, id, .. } => {
                if id.as_deref().map(|id| parse(id.as_bytes())) != Some(call.message["id"].clone()) {
                    self.world.book.wrong(format!("{what} failed under the id {id:?}"));
                }
                self.refused(&fault)
            }
            other => {
                self.world.book.wrong(format!("{what} has an odd reply: {other:?}"));
                Heard::End(End::Lost)
            }
        }
    }

    fn refused(&self, fault: &Fault) -> Heard {
        if fault.to_string().is_empty() {
            self.world.book.wrong(format!("{}: an error that says nothing", self.name));
        }
        Heard::End(End::Refused)
    }

    /// What comes before the answer, and the answer.
    async fn follow(&self, first: Bytes, mut rest: SanitizedStream, call: &Call) -> Heard {
        let text = &call.text;
        let mut next = Some(first);
        loop {
            if let Some(bytes) = next.take() {
                let message = parse(&bytes);
                if message.get("id").is_some() {
                    if !self.is_asked(call, &message).await {
                        return Heard::End(End::Refused);
                    }
                } else {
                    self.progresses(call, &message);
                }
            }
            let Some(come) = self.within(CALL_WAIT_MAX, text, rest.next()).await else {
                return Heard::End(End::Lost);
            };
            match come {
                Ok(Some((bytes, false))) => next = Some(bytes),
                Ok(Some((bytes, true))) => return self.answer(&bytes, call),
                Ok(None) => {
                    self.world.book.wrong(format!("{text}: its stream ends without an answer"));
                    return Heard::End(End::Lost);
                }
                Err(fault) => return self.refused(&fault),
            }
        }
    }

    fn progresses(&self, call: &Call, progress: &Value) {
        let (text, token) = (&call.text, &call.message["params"]["_meta"]["progressToken"]);
        let params = &progress["params"];
        if params["progressToken"] != *token
            || self.world.plan.has(Planted::ProgressOfAnother)
            || !text.ends_with(params["message"].as_str().unwrap_or("?"))
        {
            self.world.book.wrong(format!("{text}: hears {progress}, its token is {token}"));
        }
    }

    fn answer(&self, bytes: &[u8], call: &Call) -> Heard {
        let (mut answer, text) = (parse(bytes), &call.text);
        if self.world.plan.has(Planted::IdOfAnother) {
            answer["id"] = json!(0);
        }
        let id = &call.message["id"];
        if answer["id"] != *id {
            self.world.book.wrong(format!("{text}: the answer {answer} has another id than {id}"));
        }
        let other = self.world.plan.has(Planted::AnswerOfAnother);
        match (answer.get("result"), answer.get("error")) {
            (Some(result), None) if result["resultType"] == "input_required" && self.session.is_none() => {
                Heard::Asked(result.clone())
            }
            (Some(result), None) if result["content"][0]["text"] == json!(text) && !other => Heard::End(End::Answered),
            (None, Some(error)) if error["message"].as_str().is_some_and(|message| !message.is_empty()) => {
                Heard::End(End::Refused)
            }
            _ => {
                self.world.book.wrong(format!("{text}: the answer is {answer}"));
                Heard::End(End::Lost)
            }
        }
    }
}
