//! One client on one channel (stdio, WebSocket, HTTP+SSE): its messages in, ours out, in any revision.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use omni_hub::stage::{Channel, ClientHeaders, Received};
use omni_hub::{Calls, Hub, Identified, Reply, Scope, Session, dispatch};
use omni_protocol::{Message, MessageKind, Method, Version, is_batch};
use omni_types::{Fault, FaultKind};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::batch::{self, Answers, Batch, Origin};
use crate::fault;
use crate::speech::Speech;

/// Messages that may wait to be written; a client that does not read holds up only itself.
const OUTBOX_MAX: usize = 64;
/// Calls at a time; further ones are told to come again.
const CALLS_MAX: usize = 256;
/// With answers of the client's to what servers asked; further ones are dropped.
const ANSWERS_MAX: usize = 2 * CALLS_MAX;

/// Between two looks at what still runs.
const DRAIN_LOOK: Duration = Duration::from_millis(20);

/// A conversation with one client. Let go, it cancels the calls that run and ends the session.
pub(crate) struct Conversation {
    line: Arc<Line>,
    running: JoinSet<()>,
}

/// What the calls of one client share.
struct Line {
    hub: Arc<Hub>,
    scope: Scope,
    channel: Channel,
    /// Who is at the other end.
    sender: Mutex<Identified>,
    calls: Arc<Calls>,
    session: Mutex<Option<Arc<Session>>>,
    out: mpsc::Sender<Bytes>,
    /// Tasks that end with the conversation and not before.
    standing: AtomicUsize,
    /// The hub ended the session: its endpoint is gone.
    over: Arc<Notify>,
}

impl Conversation {
    /// Begins one with `sender`; what is to be said to the client comes out of the queue.
    pub(crate) fn begin(
        hub: Arc<Hub>,
        scope: Scope,
        channel: Channel,
        sender: Identified,
    ) -> (Self, mpsc::Receiver<Bytes>) {
        let (out, queue) = mpsc::channel(OUTBOX_MAX);
        let line = Arc::new(Line {
            hub,
            scope,
            channel,
            sender: Mutex::new(sender),
            calls: Arc::default(),
            session: Mutex::default(),
            out,
            standing: AtomicUsize::new(0),
            over: Arc::default(),
        });
        (Self { line, running: JoinSet::new() }, queue)
    }

    /// Returns when every call has its answer. What stands open by its nature (the session's own messages,
    /// subscriptions) is not waited for.
    pub(crate) async fn drained(&mut self) {
        while self.running.len() > self.line.standing.load(Ordering::Relaxed) {
            let _look = tokio::time::timeout(DRAIN_LOOK, self.running.join_next()).await;
        }
    }

    /// Told when the hub ended the session, so that there is nothing to talk about any more.
    pub(crate) fn over(&self) -> Arc<Notify> {
        Arc::clone(&self.line.over)
    }

    /// The same client has shown who they are anew, perhaps with a fresher token.
    pub(crate) fn renew(&self, sender: Identified) {
        *self.line.sender.lock().unwrap_or_else(PoisonError::into_inner) = sender;
    }

    /// Takes one message of the client, or a batch of them.
    pub(crate) async fn hear(&mut self, text: Bytes) {
        while self.running.try_join_next().is_some() {}
        if is_batch(&text) {
            return self.hear_batch(text).await;
        }
        let line = Arc::clone(&self.line);
        let message = Message::parse(text.clone()).ok();
        let kind = message.as_ref().map_or(MessageKind::Request, Message::kind);
        if kind == MessageKind::Notification {
            // Cancellations are read however many calls wait, and before what comes after them.
            line.answer(text).await;
        } else if kind == MessageKind::Response {
            // Nothing is said of an answer, not even of one that nobody asked for: a client that does not read could
            // pile up what it would be told.
            if self.running.len() < ANSWERS_MAX {
                self.running.spawn(async move { line.take(text).await });
            }
        } else if message.as_ref().is_some_and(|m| m.method() == Some(&Method::Initialize)) {
            // It opens the session that the next line is in.
            self.open(text, message.as_ref().and_then(Message::id)).await;
        } else if self.running.len() >= CALLS_MAX {
            line.refuse_busy(message.as_ref().and_then(Message::id)).await;
        } else {
            self.running.spawn(async move { line.answer(text).await });
        }
    }

    async fn hear_batch(&mut self, text: Bytes) {
        let line = Arc::clone(&self.line);
        let session = line.session();
        let version = session.as_ref().map(|session| session.version);
        let (members, session) = match (batch::split(&text, version), session) {
            (Ok(members), Some(session)) => (members, session),
            (Err(fault), _) => return line.say(batch::refusal(&fault, version)).await,
            (Ok(_), None) => return,
        };
        if self.running.len() >= CALLS_MAX {
            return line.refuse_busy(None).await;
        }
        self.running.spawn(async move {
            let mut batch = Batch::start(line.origin(session), members);
            let mut answers = Answers::default();
            while let Some((message, is_answer)) = batch.next().await {
                if is_answer { answers.add(message) } else { line.say(message).await }
            }
            if let Some(array) = answers.into_array() {
                line.say(array).await;
            }
        });
    }

    /// Opens the one session of this conversation.
    async fn open(&mut self, text: Bytes, id: Option<&str>) {
        let line = Arc::clone(&self.line);
        if line.session().is_some() {
            let why = Fault::new(FaultKind::InvalidRequest, "this connection has its session already");
            return line.say(fault::body(&why, id, Version::LATEST_LEGACY).into()).await;
        }
        match line.dispatch(text).await {
            Reply::Opened { session, body } => {
                *line.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
                line.say(body).await;
                line.hub.stream_opened(&session);
                line.standing.fetch_add(1, Ordering::Relaxed);
                self.running.spawn(async move {
                    while let Some(message) = session.outbox.next().await {
                        line.say(message).await;
                    }
                    line.standing.fetch_sub(1, Ordering::Relaxed);
                    line.over.notify_one();
                });
            }
            reply => line.reply(reply).await,
        }
    }

    /// Ends it: what the client did not wait for is cancelled, and gone when this returns.
    pub(crate) async fn end(mut self) {
        self.running.shutdown().await;
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let Some(session) = self.line.session.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.line.hub.end_session(session.id());
        }
    }
}

impl Line {
    fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sender(&self) -> Identified {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn origin(&self, session: Arc<Session>) -> Origin {
        Origin {
            hub: Arc::clone(&self.hub),
            scope: self.scope.clone(),
            channel: self.channel,
            sender: self.sender(),
            session,
            calls: Arc::clone(&self.calls),
            version_header: None,
            forwarded: Vec::new(),
        }
    }

    async fn say(&self, message: Bytes) {
        let _client_gone = self.out.send(message).await;
    }

    async fn refuse_busy(&self, id: Option<&str>) {
        let why = format!("{CALLS_MAX} calls are in flight, which is all one client may have; try again");
        self.say(fault::body(&Fault::new(FaultKind::Busy, why), id, Version::LATEST_LEGACY).into()).await;
    }

    async fn dispatch(&self, text: Bytes) -> Reply {
        let received = Received {
            body: text,
            scope: self.scope.clone(),
            channel: self.channel,
            sender: self.sender(),
            session: self.session(),
            calls: Some(Arc::clone(&self.calls)),
            headers: ClientHeaders::default(),
        };
        dispatch(&self.hub, received).await
    }

    /// Takes an answer of the client's.
    async fn take(&self, text: Bytes) {
        let _nothing_is_said = self.dispatch(text).await;
    }

    async fn answer(&self, text: Bytes) {
        let reply = self.dispatch(text).await;
        self.reply(reply).await;
    }

    async fn reply(&self, reply: Reply) {
        let stands = usize::from(matches!(reply, Reply::Listening(_)));
        self.standing.fetch_add(stands, Ordering::Relaxed);
        let mut speech = Speech::of(reply);
        while let Some((message, _)) = speech.next().await {
            self.say(message).await;
        }
        self.standing.fetch_sub(stands, Ordering::Relaxed);
    }
}
