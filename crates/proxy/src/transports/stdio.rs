//! A stdio server: one line a message, calls of many clients side by side on the one channel.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use omni_protocol::{
    ErrorCode, LineBuffer, Message, MessageKind, Method, Splice, error_response, members, notification, response,
};
use omni_protocol::{meta_keys, to_single_line};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, watch};

use crate::error::LinkError;
use crate::inbox::Inbox;
use crate::outgoing::Outgoing;
use crate::process::{Child, Tail};
use crate::transports::bounds::MESSAGE_BYTES_MAX;

/// Messages that may wait to be written; a server that does not read holds up only its own calls.
const OUTBOX_MAX: usize = 64;
/// For a process that closed its standard output to end, so that its exit status can be told.
const EXIT_WAIT: Duration = Duration::from_secs(1);
/// For what was put in line before the process was let go to be written.
const LAST_WRITES_WAIT: Duration = Duration::from_millis(200);
/// For the last lines of standard error to be read after the process ended.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(200);
/// Bytes of the id of a request of the server's.
const SERVER_ID_BYTES_MAX: usize = 256;
/// Lines of standard error that go to the log each second; a server that floods floods its own memory of last words alone.
const STDERR_LINES_PER_SECOND: u32 = 100;
/// Bytes of one line of standard error that are kept.
const STDERR_LINE_BYTES_MAX: usize = 64 * 1024;

/// What a server says that belongs to no call.
pub(crate) type Unasked = Box<dyn Fn(Message) + Send + Sync>;
/// Told once when the process has ended.
pub(crate) type OnEnd = Box<dyn FnOnce(LinkError) + Send>;

/// The channel to one process.
#[derive(Debug)]
pub(crate) struct StdioWire {
    shared: Arc<Shared>,
    outbox: Mutex<Option<mpsc::Sender<Bytes>>>,
}

struct Shared {
    calls: Mutex<Calls>,
    alive: AtomicBool,
    tail: Tail,
    unasked: std::sync::OnceLock<Unasked>,
    /// Set when the process is to be let go: a write that it does not read must not hold its standard input open.
    closing: watch::Sender<bool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("alive", &self.alive).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Calls {
    open: HashMap<u64, Call>,
    end: Option<LinkError>,
}

#[derive(Debug)]
struct Call {
    inbox: Arc<Inbox>,
    progress_token: Option<String>,
}

/// One call on the channel; dropped, its later messages are thrown away.
#[derive(Debug)]
pub(crate) struct StdioCall {
    shared: Weak<Shared>,
    inbox: Arc<Inbox>,
    id: u64,
}

impl StdioCall {
    pub(crate) async fn next(&self) -> Result<Message, LinkError> {
        self.inbox.next().await
    }
}

impl Drop for StdioCall {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.lock().open.remove(&self.id);
        }
    }
}

impl StdioWire {
    /// Takes over the streams of a started process.
    pub(crate) fn new(server: &str, child: Child, on_end: OnEnd) -> Self {
        let (outbox, queue) = mpsc::channel(OUTBOX_MAX);
        let shared = Arc::new(Shared {
            calls: Mutex::default(),
            alive: AtomicBool::new(true),
            tail: Tail::default(),
            unasked: std::sync::OnceLock::new(),
            closing: watch::Sender::new(false),
        });
        tokio::spawn(write_lines(child.stdin, queue, shared.closing.subscribe()));
        let stderr = tokio::spawn(read_stderr(server.to_owned(), child.stderr, Arc::clone(&shared)));
        let wire = Self { shared: Arc::clone(&shared), outbox: Mutex::new(Some(outbox.clone())) };
        let replies = outbox.downgrade();
        let process = child.process;
        let reading = Reading { server: server.to_owned(), stdout: child.stdout, shared, replies, stderr };
        tokio::spawn(run(reading, process, on_end));
        wire
    }

    /// Who hears what belongs to no call. Until it is set, such messages are dropped.
    pub(crate) fn on_unasked(&self, unasked: Unasked) {
        let _only_once = self.shared.unasked.set(unasked);
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.alive.load(Ordering::Acquire)
    }

    pub(crate) async fn call(&self, outgoing: Outgoing) -> Result<StdioCall, LinkError> {
        let inbox = Inbox::new();
        {
            let mut calls = self.shared.lock();
            if let Some(end) = &calls.end {
                return Err(end.clone());
            }
            let call = Call { inbox: Arc::clone(&inbox), progress_token: outgoing.progress_token };
            calls.open.insert(outgoing.id, call);
        }
        let call = StdioCall { shared: Arc::downgrade(&self.shared), inbox, id: outgoing.id };
        self.write(outgoing.body).await?;
        Ok(call)
    }

    pub(crate) async fn write(&self, message: Bytes) -> Result<(), LinkError> {
        let outbox = self.outbox().ok_or(LinkError::Stopped)?;
        if outbox.send(message).await.is_ok() {
            return Ok(());
        }
        // The writer is gone because the process is; the reader is about to know how it ended.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(self.shared.lock().end.clone().unwrap_or_else(|| LinkError::Ended {
            how: "it closed its standard input".to_owned(),
            said: self.shared.tail.last(),
        }))
    }

    pub(crate) fn write_if_room(&self, message: Bytes) {
        if let Some(outbox) = self.outbox() {
            let _best_effort = outbox.try_send(message);
        }
    }

    /// Lets go of the process's standard input; its guard does the rest.
    ///
    /// Calls that are still open, a subscription above all, are cancelled first: some servers wait for that.
    pub(crate) fn close(&self) {
        let open: Vec<u64> = self.shared.lock().open.keys().copied().collect();
        for id in open {
            let params = format!(r#"{{"requestId":{id}}}"#);
            self.write_if_room(notification("notifications/cancelled", Some(&params)).into());
        }
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.closing.send_replace(true);
    }

    fn outbox(&self) -> Option<mpsc::Sender<Bytes>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, why: &LinkError) {
        self.alive.store(false, Ordering::Release);
        self.closing.send_replace(true);
        let mut calls = self.lock();
        calls.end.get_or_insert_with(|| why.clone());
        for (_, call) in calls.open.drain() {
            call.inbox.close(why.clone());
        }
    }
}

async fn write_lines(mut stdin: ChildStdin, mut queue: mpsc::Receiver<Bytes>, mut closing: watch::Receiver<bool>) {
    let writing = async {
        while let Some(message) = queue.recv().await {
            let line = to_single_line(&message);
            let mut whole = Vec::with_capacity(line.len() + 1);
            whole.extend_from_slice(&line);
            whole.push(b'\n');
            if stdin.write_all(&whole).await.is_err() || stdin.flush().await.is_err() {
                return;
            }
        }
    };
    let let_go = async {
        // Whether it was told or its sender is gone, the end is the same.
        drop(closing.wait_for(|close| *close).await);
        // What was put in line before may still go out, to a process that reads.
        tokio::time::sleep(LAST_WRITES_WAIT).await;
    };
    tokio::select! {
        () = writing => {}
        () = let_go => {}
    }
}

async fn read_stderr(server: String, stderr: ChildStderr, shared: Arc<Shared>) {
    let mut reader = tokio::io::BufReader::with_capacity(STDERR_LINE_BYTES_MAX, stderr);
    let (mut second, mut lines) = (Instant::now(), 0u32);
    loop {
        let line = match reader.fill_buf().await {
            Ok(buffer) if !buffer.is_empty() => {
                // A line that fills the whole buffer is taken in pieces.
                let end = memchr::memchr(b'\n', buffer).map_or(buffer.len(), |at| at + 1);
                let line = String::from_utf8_lossy(&buffer[..end]).trim_end().to_owned();
                reader.consume(end);
                line
            }
            _ => return,
        };
        if line.is_empty() {
            continue;
        }
        shared.tail.push(&line);
        if second.elapsed() >= Duration::from_secs(1) {
            if lines > STDERR_LINES_PER_SECOND {
                tracing::info!(target: "server", server, "… and {} more lines", lines - STDERR_LINES_PER_SECOND);
            }
            (second, lines) = (Instant::now(), 0);
        }
        lines = lines.saturating_add(1);
        if lines <= STDERR_LINES_PER_SECOND {
            tracing::info!(target: "server", server, "{line}");
        }
    }
}

/// One process's standard output, and what has to be at hand to read it.
struct Reading {
    server: String,
    stdout: ChildStdout,
    shared: Arc<Shared>,
    replies: mpsc::WeakSender<Bytes>,
    stderr: tokio::task::JoinHandle<()>,
}

async fn run(mut reading: Reading, mut process: tokio::process::Child, on_end: OnEnd) {
    let broken = read_lines(&mut reading).await;
    let error = match broken {
        Some(broken) => broken,
        None => {
            let how = match tokio::time::timeout(EXIT_WAIT, process.wait()).await {
                Ok(Ok(status)) => status.to_string(),
                _ => "it closed its standard output".to_owned(),
            };
            // What it said last may still be on its way. A child that outlives it may keep the stream open.
            let _said_all = tokio::time::timeout(LAST_WORDS_WAIT, &mut reading.stderr).await;
            LinkError::Ended { how, said: reading.shared.tail.last() }
        }
    };
    reading.shared.end(&error);
    on_end(error);
    // Whoever waits for the process's end reaps it: no zombie is left, however long its guard takes.
    let _status = process.wait().await;
}

/// Reads until the process closes its standard output, or breaks the protocol past mending.
async fn read_lines(reading: &mut Reading) -> Option<LinkError> {
    let Reading { server, stdout, shared, replies, .. } = reading;
    let server = server.as_str();
    let mut lines = LineBuffer::new(MESSAGE_BYTES_MAX);
    loop {
        match stdout.read_buf(lines.space()).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
        loop {
            let line = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => return Some(LinkError::Broken(error.to_string())),
            };
            match Message::parse(line) {
                Ok(message) => receive(message, shared, replies),
                // Many programs print something before they begin to speak; that is no reason to end them.
                Err(error) => tracing::warn!(target: "server", server, %error, "not a message on standard output"),
            }
        }
    }
}

fn receive(message: Message, shared: &Arc<Shared>, replies: &mpsc::WeakSender<Bytes>) {
    match message.kind() {
        MessageKind::Response => {
            let call = message.id_number().and_then(|id| shared.lock().open.remove(&id));
            match call {
                Some(call) => call.inbox.answer(message),
                None => tracing::debug!(target: "server", "an answer to no open call was thrown away"),
            }
        }
        MessageKind::Notification => notified(message, shared),
        MessageKind::Request => asked(message, shared, replies),
    }
}

fn notified(message: Message, shared: &Arc<Shared>) {
    let unasked = match message.method() {
        Some(Method::Progress) => progress(message, shared),
        Some(Method::Cancelled) => return,
        _ => by_subscription(message, shared),
    };
    let Some(message) = unasked else { return };
    // A log line names no call: with one call in flight it can only be about that one.
    if message.method() == Some(&Method::LogMessage) {
        let only = {
            let calls = shared.lock();
            if calls.open.len() == 1 { calls.open.values().next().map(|c| Arc::clone(&c.inbox)) } else { None }
        };
        if let Some(inbox) = only {
            let _dropped_when_full = inbox.push(message);
            return;
        }
    }
    if let Some(hear) = shared.unasked.get() {
        hear(message);
    }
}

/// Gives progress to its call, under the client's own token.
fn progress(message: Message, shared: &Arc<Shared>) -> Option<Message> {
    let params = message.params()?;
    let found = members(params).ok()?;
    let (_, token) = found.iter().find(|(key, _)| key == meta_keys::PROGRESS_TOKEN)?;
    let id: u64 = token.get().parse().ok()?;
    let (inbox, own) = {
        let calls = shared.lock();
        let call = calls.open.get(&id)?;
        (Arc::clone(&call.inbox), call.progress_token.clone()?)
    };
    let start = token.get().as_ptr() as usize - message.bytes().as_ptr() as usize;
    let mut splice = Splice::new();
    splice.replace(start..start + token.get().len(), own.into_bytes());
    let bytes = splice.apply(message.bytes());
    if let Ok(translated) = Message::parse(bytes.into()) {
        let _dropped_when_full = inbox.push(translated);
    }
    None
}

/// Gives what belongs to a `subscriptions/listen` to it.
fn by_subscription(message: Message, shared: &Arc<Shared>) -> Option<Message> {
    let id = message.params().filter(|p| p.contains(meta_keys::SUBSCRIPTION_ID)).and_then(|params| {
        let found = members(params).ok()?;
        let (_, meta) = found.iter().find(|(key, _)| key == "_meta")?;
        let inner = members(meta.get()).ok()?;
        inner.iter().find(|(key, _)| key == meta_keys::SUBSCRIPTION_ID)?.1.get().parse::<u64>().ok()
    });
    let inbox = id.and_then(|id| shared.lock().open.get(&id).map(|c| Arc::clone(&c.inbox)));
    match inbox {
        Some(inbox) => {
            let _dropped_when_full = inbox.push(message);
            None
        }
        None => Some(message),
    }
}

fn asked(message: Message, shared: &Arc<Shared>, replies: &mpsc::WeakSender<Bytes>) {
    let id = message.id().unwrap_or("null").to_owned();
    if id.len() > SERVER_ID_BYTES_MAX {
        return;
    }
    let reply = match message.method() {
        Some(Method::Ping) => response(&id, "{}"),
        _ => match shared.unasked.get() {
            Some(hear) => return hear(message),
            None => error_response(Some(&id), ErrorCode::METHOD_NOT_FOUND, "not before the handshake is over", None),
        },
    };
    if let Some(outbox) = replies.upgrade() {
        let _best_effort = outbox.try_send(reply.into());
    }
}
