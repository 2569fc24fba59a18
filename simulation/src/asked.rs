//! What a simulated client does when a server asks it something in the middle of a call: answers, once or twice, late, never,
//! or with a state that it made up.

use serde_json::{Value, json};

use crate::caller::{Call, Heard};
use crate::client::{Client, End};
use crate::plan::{INPUT_WAIT, INPUT_WAIT_MAX, Speaks};
use crate::planted::Planted;

/// For a user to think: always in time.
const THINKS_MS: u64 = 6_000;

impl Client {
    /// Whether the answer of a call that its client answers in time must come: nothing goes wrong, and nobody waits in line.
    fn must_be_answered(&self) -> bool {
        self.world.plan.is_calm() && self.world.plan.connections_max > 5
    }

    fn judge_question(&self, call: &Call, params: &Value) {
        if params["message"] != json!(format!("call {}", call.number)) {
            self.world.book.wrong(format!("call {} is asked of another call: {params}", call.number));
        }
    }

    /// The server is known to keep the call waiting, so that it is the hub that gives it a state.
    fn waits_in_the_hub(&self, call: &Call) -> bool {
        let name = call.text.split('/').next().unwrap_or_default();
        self.world.servers.iter().any(|server| server.name == name && server.speaks == Speaks::Legacy)
    }

    /// An earlier client is asked in the call's stream; `false` when it gives no answer and goes.
    pub(crate) async fn is_asked(&self, call: &Call, question: &Value) -> bool {
        let book = &self.world.book;
        self.judge_question(call, &question["params"]);
        let how = self.chance.below(100);
        tokio::time::sleep(self.chance.ms(THINKS_MS)).await;
        if how >= 80 {
            book.note(&format!("{} does not answer in call {}", self.name, call.number));
            self.world.abandoned(call.number);
            return false;
        }
        let result = json!({"action": "accept", "content": {"name": call.number}});
        let response = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
        for _ in 0..=u8::from(how >= 65) {
            book.note(&format!("{} answers in call {}", self.name, call.number));
            drop(self.send(&response).await);
        }
        true
    }

    /// A client of 2026-07-28 is answered that more is wanted.
    pub(crate) async fn asked(&self, call: &Call, result: &Value) -> End {
        let requests = result["inputRequests"].as_object();
        let Some((key, request)) = requests.and_then(|requests| requests.iter().next()) else {
            self.world.book.wrong(format!("call {} is asked nothing: {result}", call.number));
            return End::Lost;
        };
        self.judge_question(call, &request["params"]);
        let state = result["requestState"].as_str().unwrap_or_default();
        let retry = self.retry(call, key, state);
        match self.chance.below(100) {
            0..40 => {
                tokio::time::sleep(self.chance.ms(THINKS_MS)).await;
                self.in_time(&retry).await
            }
            40..55 => {
                self.world.book.note(&format!("{} does not come back for call {}", self.name, call.number));
                self.world.abandoned(call.number);
                End::Refused
            }
            55..75 => self.twice(&retry).await,
            75..90 => {
                self.guesses(call, key, state).await;
                self.in_time(&retry).await
            }
            _ => self.late(&retry).await,
        }
    }

    /// The call made again, under a new id.
    fn retry(&self, call: &Call, key: &str, state: &str) -> Call {
        let mut message = call.message.clone();
        message["id"] = json!(format!("again {}", self.world.book.new_call()));
        let given = json!({"action": "accept", "content": {"name": call.number}});
        message["params"]["inputResponses"] = json!({ key: given });
        message["params"]["requestState"] = json!(state);
        self.world.book.note(&format!("{} makes call {} again", self.name, call.number));
        Call { message, ..call.clone() }
    }

    async fn end_of(&self, retry: &Call) -> End {
        match self.ask(retry).await {
            Heard::End(end) => end,
            Heard::Asked(result) => {
                self.world.book.wrong(format!("call {} is asked a second time: {result}", retry.number));
                End::Lost
            }
        }
    }

    /// A client that comes back in time, to a call that waits for it.
    async fn in_time(&self, retry: &Call) -> End {
        let end = self.end_of(retry).await;
        if self.must_be_answered() && end == End::Refused {
            self.world
                .book
                .wrong(format!("call {} waited for its client, which came in time and was refused", retry.number));
        }
        end
    }

    /// The same twice at once: a state of the hub's serves one of them.
    async fn twice(&self, retry: &Call) -> End {
        let mut second = retry.clone();
        second.message["id"] = json!("the second");
        let (one, two) = tokio::join!(self.end_of(retry), self.end_of(&second));
        let both = one == End::Answered && (two == End::Answered || self.world.plan.has(Planted::StateTwice));
        if both && self.waits_in_the_hub(retry) {
            self.world.book.wrong(format!("call {}: its state served twice", retry.number));
        }
        if self.must_be_answered() && one == End::Refused && two == End::Refused {
            self.world.book.wrong(format!("call {} came back twice, and was refused twice", retry.number));
        }
        if one == End::Answered { one } else { two }
    }

    /// Later than calls wait: nothing waits any more, and nothing is begun anew.
    async fn late(&self, retry: &Call) -> End {
        tokio::time::sleep(INPUT_WAIT_MAX).await;
        self.world.abandoned(retry.number);
        let end = self.end_of(retry).await;
        if end == End::Answered && self.waits_in_the_hub(retry) && !self.world.plan.has(Planted::ParkedKept) {
            self.world.book.wrong(format!(
                "call {} was answered after more than {} s",
                retry.number,
                INPUT_WAIT.as_secs()
            ));
        }
        end
    }

    /// States that are not this call's: none of them serves, and none of them takes the call's own place.
    async fn guesses(&self, call: &Call, key: &str, state: &str) {
        let mut bent = state.to_owned();
        let last = bent.pop();
        bent.push(if last == Some('A') { 'B' } else { 'A' });
        let (short, none) = (state.get(..state.len() / 2).unwrap_or_default(), "");
        let waits = self.waits_in_the_hub(call);
        for guess in [bent.as_str(), short, none] {
            let end = self.end_of(&self.retry(call, key, guess)).await;
            // The state of a server of 2026-07-28 is that server's business: one that misbehaves answers to anything.
            let served = end == End::Answered && waits;
            if served || self.world.plan.has(Planted::GuessTaken) {
                self.world.book.wrong(format!("call {}: a guess served", call.number));
            }
        }
        // Its own state, for another call than the one that waits.
        let mut other = self.retry(call, key, state);
        other.message["params"]["arguments"]["call"] = json!(0);
        if waits && self.end_of(&other).await == End::Answered {
            self.world.book.wrong(format!("call {}: its state served another call", call.number));
        }
    }
}
