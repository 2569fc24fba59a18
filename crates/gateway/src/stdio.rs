//! stdio: one client on standard input and output, until it closes its end.

use std::sync::Arc;

use bytes::Bytes;
use omni_hub::stage::{Channel, ClientHeaders, Received};
use omni_hub::{Calls, Hub, Reply, Scope, Session, dispatch};
use omni_protocol::{LineBuffer, Message, MessageKind, Method, Version, to_single_line};
use omni_types::{Fault, FaultKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::fault;

/// Messages that may wait to be written; a client that does not read holds up only itself.
const OUTBOX_MAX: usize = 64;
/// Calls at a time; further ones are told to come again.
const CALLS_MAX: usize = 256;

/// What the calls of one client share.
struct Connection {
    hub: Arc<Hub>,
    scope: Scope,
    calls: Arc<Calls>,
    session: std::sync::Mutex<Option<Arc<Session>>>,
    out: mpsc::Sender<Bytes>,
}

/// Serves the client at the other end of `input` and `output`.
///
/// # Errors
/// When reading or writing fails, or a line is longer than `line_bytes_max`.
pub async fn serve(
    hub: Arc<Hub>,
    scope: Scope,
    mut input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    line_bytes_max: usize,
) -> std::io::Result<()> {
    let (out, queue) = mpsc::channel(OUTBOX_MAX);
    let writer = tokio::spawn(write_lines(output, queue));
    let connection = Arc::new(Connection { hub, scope, calls: Arc::default(), session: Default::default(), out });
    let mut lines = LineBuffer::new(line_bytes_max);
    let mut running = JoinSet::new();
    let outcome = loop {
        match input.read_buf(lines.space()).await {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        match take_lines(&connection, &mut lines, &mut running).await {
            Ok(()) => {}
            Err(error) => break Err(std::io::Error::other(error)),
        }
    };
    // The client closed its end: what it did not wait for is cancelled.
    running.shutdown().await;
    let session = connection.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(session) = session {
        connection.hub.end_session(session.id());
    }
    drop(connection);
    let _written = tokio::time::timeout(std::time::Duration::from_secs(1), writer).await;
    outcome
}

async fn take_lines(
    connection: &Arc<Connection>,
    lines: &mut LineBuffer,
    running: &mut JoinSet<()>,
) -> Result<(), omni_protocol::LineTooLong> {
    while let Some(line) = lines.next_line()? {
        while running.try_join_next().is_some() {}
        let this = Arc::clone(connection);
        let message = Message::parse(line.clone()).ok();
        let kind = message.as_ref().map_or(MessageKind::Request, Message::kind);
        if kind == MessageKind::Notification {
            // Cancellations are read however many calls wait, and before what comes after them.
            this.answer(line).await;
        } else if kind == MessageKind::Response {
            // As many as servers may ask, which is bounded; whoever asked may be slow to read.
            running.spawn(async move { this.answer(line).await });
        } else if message.as_ref().is_some_and(|m| m.method() == Some(&Method::Initialize)) {
            // It opens the session that the next line is in.
            this.open(line, message.as_ref().and_then(Message::id), running).await;
        } else if running.len() >= CALLS_MAX {
            let why = format!("{CALLS_MAX} calls are in flight, which is all one client may have; try again");
            this.refuse(FaultKind::Busy, &why, message.as_ref().and_then(Message::id)).await;
        } else {
            running.spawn(async move { this.answer(line).await });
        }
    }
    Ok(())
}

async fn write_lines(mut output: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(message) = queue.recv().await {
        let line = to_single_line(&message);
        let written = async {
            output.write_all(&line).await?;
            output.write_all(b"\n").await?;
            output.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}

impl Connection {
    fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn say(&self, message: Bytes) {
        let _client_gone = self.out.send(message).await;
    }

    async fn dispatch(&self, line: Bytes) -> Reply {
        let received = Received {
            body: line,
            scope: self.scope.clone(),
            channel: Channel::Stdio,
            session: self.session(),
            calls: Some(Arc::clone(&self.calls)),
            headers: ClientHeaders::default(),
        };
        dispatch(&self.hub, received).await
    }

    async fn refuse(&self, kind: FaultKind, why: &str, id: Option<&str>) {
        let fault = Fault::new(kind, why);
        self.say(fault::body(&fault, id, Version::LATEST_LEGACY).into()).await;
    }

    /// Opens the one session of this connection.
    async fn open(self: &Arc<Self>, line: Bytes, id: Option<&str>, running: &mut JoinSet<()>) {
        if self.session().is_some() {
            return self.refuse(FaultKind::InvalidRequest, "this connection has its session already", id).await;
        }
        match self.dispatch(line).await {
            Reply::Opened { session, body } => {
                *self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::clone(&session));
                self.say(body).await;
                self.hub.stream_opened(&session);
                let this = Arc::clone(self);
                running.spawn(async move {
                    loop {
                        let message = session.outbox.next().await;
                        this.say(message).await;
                    }
                });
            }
            reply => self.reply(reply).await,
        }
    }

    async fn answer(self: Arc<Self>, line: Bytes) {
        let reply = self.dispatch(line).await;
        self.reply(reply).await;
    }

    async fn reply(&self, reply: Reply) {
        match reply {
            Reply::Accepted => {}
            Reply::Opened { body, .. } => self.say(body).await,
            Reply::Answer(sanitized) => {
                let (first, rest, _) = sanitized.into_parts();
                self.say(first).await;
                let Some(mut rest) = rest else { return };
                loop {
                    match rest.next().await {
                        Ok(Some((message, _))) => self.say(message).await,
                        Ok(None) => return,
                        Err(fault) if fault.kind() == FaultKind::Cancelled => return,
                        Err(fault) => {
                            return self.say(fault::body(&fault, Some(rest.id()), rest.version()).into()).await;
                        }
                    }
                }
            }
            Reply::Listening(mut listen) => {
                // Cancelled by the client like any call (stdio of 2026-07-28).
                let booked = self.calls.book(listen.id());
                loop {
                    let next = tokio::select! {
                        next = listen.next() => next,
                        () = booked.cancelled() => None,
                    };
                    match next {
                        Some(message) => self.say(message).await,
                        None => return,
                    }
                }
            }
            Reply::Failed { fault, .. } if fault.kind() == FaultKind::Cancelled => {}
            Reply::Failed { fault, id, version } => {
                self.say(fault::body(&fault, id.as_deref(), version).into()).await;
            }
        }
    }
}
