//! What a simulated server knows and what befalls it: its tools, its sessions, its streams.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::book::Book;
use crate::chance::Chance;
use crate::lives::Lives;
use crate::plan::{Plan, Speaks};

/// Messages that wait for a stream's reader.
const STREAM_MESSAGES_MAX: usize = 64;

/// A simulated server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) speaks: Speaks,
    pub(crate) plan: Plan,
    pub(crate) chance: Chance,
    pub(crate) book: Book,
    lives: Arc<Lives>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    down: bool,
    quiet: bool,
    next: u64,
    tools: u64,
    sessions: BTreeSet<String>,
    /// Calls by session and id of the request, so that they can be cancelled.
    at_work: BTreeMap<(String, String), u64>,
    /// Questions that wait, by session and call.
    questions: BTreeMap<(String, u64), oneshot::Sender<Value>>,
    /// Calls whose question was answered.
    told: BTreeSet<u64>,
    streams: Vec<mpsc::Sender<Bytes>>,
}

/// The id under which it asks, in a session.
pub(crate) fn question_id(call: u64) -> String {
    format!("question {call}")
}

impl Server {
    pub(crate) fn new(name: &str, speaks: Speaks, plan: &Plan, chance: Chance, book: &Book) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            speaks,
            plan: plan.clone(),
            chance,
            book: book.clone(),
            lives: Arc::default(),
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn lives(&self) -> &Arc<Lives> {
        &self.lives
    }

    pub(crate) fn is_down(&self) -> bool {
        self.lock().down
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.lock().quiet
    }

    /// It goes down: connections break, and `forgets` its sessions with them.
    pub(crate) fn goes_down(&self, forgets: bool) {
        {
            let mut state = self.lock();
            state.down = true;
            state.streams.clear();
            if forgets {
                state.sessions.clear();
                state.questions.clear();
            }
        }
        self.book.note(&format!("{} goes down, forgets: {forgets}", self.name));
        self.lives.end_one();
    }

    pub(crate) fn comes_back(&self) {
        self.lock().down = false;
        self.book.note(&format!("{} comes back", self.name));
    }

    /// From now on it answers every call at once and well.
    pub(crate) fn calm_down(&self) {
        let mut state = self.lock();
        state.down = false;
        state.quiet = true;
    }

    /// It has another tool from now on, and tells who listens.
    pub(crate) fn changes(&self) {
        let streams = {
            let mut state = self.lock();
            state.tools += 1;
            state.streams.retain(|stream| !stream.is_closed());
            state.streams.clone()
        };
        self.book.note(&format!("{} has {} tools", self.name, self.tools().len()));
        let message = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {}});
        for stream in streams {
            let _full_or_gone = stream.try_send(Bytes::from(message.to_string()));
        }
    }

    /// What its tools are called at this moment.
    pub(crate) fn tools(&self) -> Vec<String> {
        (0..=self.lock().tools).map(|number| format!("t{number}")).collect()
    }

    /// Sessions that were opened and not ended.
    pub(crate) fn sessions(&self) -> usize {
        self.lock().sessions.len()
    }

    /// A client opens a session.
    pub(crate) fn opens(&self) -> String {
        let mut state = self.lock();
        state.next += 1;
        let session = format!("{}-{}", self.name, state.next);
        state.sessions.insert(session.clone());
        session
    }

    pub(crate) fn knows(&self, session: &str) -> bool {
        self.lock().sessions.contains(session)
    }

    /// A session is ended, and with it whatever was asked for in it.
    pub(crate) fn closes(&self, session: &str) {
        let calls: Vec<u64> = {
            let mut state = self.lock();
            state.sessions.remove(session);
            state.questions.retain(|(of, _), _| of != session);
            state.at_work.iter().filter(|((of, _), _)| of == session).map(|(_, call)| *call).collect()
        };
        calls.into_iter().for_each(|call| self.book.cancelled(call));
    }

    /// It asks something in a call of `session`: where the answer comes, if one does.
    pub(crate) fn asks(&self, session: &str, call: u64) -> oneshot::Receiver<Value> {
        let (sender, receiver) = oneshot::channel();
        self.lock().questions.insert((session.to_owned(), call), sender);
        receiver
    }

    /// It is answered in `session`, under this id.
    pub(crate) fn is_answered(&self, session: &str, id: &Value, result: &Value) {
        let mut state = self.lock();
        let of = state.questions.keys().find(|(of, call)| of == session && *id == json!(question_id(*call))).cloned();
        match of {
            Some(key) => {
                state.told.insert(key.1);
                let _nobody_waits = state.questions.remove(&key).map(|sender| sender.send(result.clone()));
            }
            None => {
                let again = state.told.iter().any(|call| *id == json!(question_id(*call)));
                drop(state);
                if again {
                    self.book.wrong(format!("{}: {id} is answered twice", self.name));
                }
            }
        }
    }

    /// What it asked in a call that was cancelled is not waited for any more.
    pub(crate) fn asks_no_more(&self, session: &str, call: u64) {
        self.lock().questions.remove(&(session.to_owned(), call));
    }

    /// The call that a request of `session` was for.
    pub(crate) fn call_of(&self, session: &str, id: &Value) -> Option<u64> {
        self.lock().at_work.get(&(session.to_owned(), id.to_string())).copied()
    }

    /// Someone listens: where to tell what it says of its own accord.
    pub(crate) fn speaks_to(&self) -> (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(STREAM_MESSAGES_MAX);
        self.lock().streams.push(sender.clone());
        (sender, receiver)
    }

    pub(crate) fn begins(&self, session: &str, id: &Value, call: u64) {
        self.lock().at_work.insert((session.to_owned(), id.to_string()), call);
    }
}
