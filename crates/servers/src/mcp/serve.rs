//! The loop of a server: reads messages, answers requests side by side within bounds, and ends when its input does.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::mcp::cancel::Cancel;
use crate::mcp::frame::{Frame, Frames, LINE_BYTES_MAX};
use crate::mcp::message::{
    Fault, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Message, PARSE_ERROR, RESOURCE_NOT_FOUND,
    Request, parse, success,
};
use crate::mcp::server::Server;
use crate::mcp::tool::result_of;
use crate::mcp::version::{Era, SUBSCRIPTION_KEY, allows_batches, era_of, finish, negotiate, server_info};

/// Requests that run at the same time; the others wait.
const RUNNING_MAX: usize = 16;
/// Requests accepted and not yet answered, subscriptions included.
const PENDING_MAX: usize = 256;
/// Bytes of accepted and not yet answered requests.
const PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Messages of one batch.
const BATCH_MAX: usize = 64;
/// Requests and replies in hand; at this bound nothing more is read until one is done.
const TASKS_MAX: usize = 2 * PENDING_MAX;
/// Answers waiting to be written.
const OUTBOX_MAX: usize = 64;
/// How long running requests may still answer after the input has ended.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Serves one client until its input ends or its output is closed.
pub(crate) async fn serve<R, W>(server: Server, reader: R, writer: W) -> anyhow::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::new(Connection::new(server));
    let (outbox, lines) = mpsc::channel(OUTBOX_MAX);
    let mut writing = tokio::spawn(write_lines(writer, lines));
    let mut frames = Frames::new(BufReader::new(reader), LINE_BYTES_MAX);
    let mut work = JoinSet::new();
    loop {
        let frame = tokio::select! {
            frame = frames.next(), if work.len() < TASKS_MAX => frame?,
            _ = &mut writing => break, // nobody reads the answers any more
            Some(_) = work.join_next() => continue,
        };
        let begun = match frame {
            Frame::Line(line) => connection.receive(&line),
            Frame::TooLong => Begun::Reply(
                Fault::new(PARSE_ERROR, format!("a message may have at most {LINE_BYTES_MAX} bytes"))
                    .reply(&Value::Null),
            ),
            Frame::End => break,
        };
        let outbox = outbox.clone();
        match begun {
            Begun::Nothing => {}
            // Sent from a task, because the reader must go on to see a cancellation while the output is stuffed.
            Begun::Reply(reply) => drop(work.spawn(async move { drop(outbox.send(reply).await) })),
            Begun::Work(answer) => drop(work.spawn(async move {
                if let Some(reply) = answer.await {
                    drop(outbox.send(reply).await);
                }
            })),
        }
    }
    for farewell in connection.close_subscriptions() {
        drop(outbox.try_send(farewell));
    }
    drop(tokio::time::timeout(DRAIN_MAX, async { while work.join_next().await.is_some() {} }).await);
    connection.cancel_all();
    work.shutdown().await;
    drop(outbox);
    if !writing.is_finished() {
        drop(tokio::time::timeout(DRAIN_MAX, writing).await);
    }
    Ok(())
}

/// Writes one message a line; ends when the peer is gone or no sender is left.
async fn write_lines<W: AsyncWrite + Unpin>(mut writer: W, mut lines: mpsc::Receiver<Value>) {
    while let Some(message) = lines.recv().await {
        let mut line = message.to_string();
        line.push('\n');
        if writer.write_all(line.as_bytes()).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

/// What a received line asks the loop to do.
enum Begun {
    Nothing,
    Reply(Value),
    /// Resolves to the reply, or to none when the request was cancelled.
    Work(BoxFuture<'static, Option<Value>>),
}

/// A request that has no answer yet.
struct Pending {
    cancel: Cancel,
    bytes: usize,
    /// The id, where the request is a subscription: it runs nothing and waits for the end.
    subscription: Option<Value>,
}

struct Connection {
    server: Server,
    /// The revision of the session, once `initialize` was answered.
    session: OnceLock<&'static str>,
    pending: Mutex<HashMap<String, Pending>>,
    running: Arc<Semaphore>,
}

impl Connection {
    fn new(server: Server) -> Self {
        Self {
            server,
            session: OnceLock::new(),
            pending: Mutex::new(HashMap::new()),
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
        }
    }

    fn receive(self: &Arc<Self>, line: &[u8]) -> Begun {
        match serde_json::from_slice(line) {
            Ok(Value::Array(batch)) => self.receive_batch(batch, line.len()),
            Ok(message) => self.begin(message, line.len()),
            Err(error) => Begun::Reply(Fault::new(PARSE_ERROR, format!("not JSON: {error}")).reply(&Value::Null)),
        }
    }

    fn receive_batch(self: &Arc<Self>, batch: Vec<Value>, bytes: usize) -> Begun {
        let refuse = |text: &str| Begun::Reply(Fault::new(INVALID_REQUEST, text).reply(&Value::Null));
        if !self.session.get().is_some_and(|negotiated| allows_batches(negotiated)) {
            return refuse("batches are not part of this revision of the protocol");
        }
        if batch.is_empty() || batch.len() > BATCH_MAX {
            return refuse(&format!("a batch must hold 1 to {BATCH_MAX} messages"));
        }
        let share = bytes / batch.len();
        let begun: Vec<Begun> = batch.into_iter().map(|message| self.begin(message, share)).collect();
        Begun::Work(
            async move {
                let replies = join_all(begun.into_iter().map(|begun| async move {
                    match begun {
                        Begun::Nothing => None,
                        Begun::Reply(reply) => Some(reply),
                        Begun::Work(answer) => answer.await,
                    }
                }));
                let replies: Vec<Value> = replies.await.into_iter().flatten().collect();
                (!replies.is_empty()).then_some(Value::Array(replies))
            }
            .boxed(),
        )
    }

    fn begin(self: &Arc<Self>, message: Value, bytes: usize) -> Begun {
        match parse(message) {
            Ok(Message::Request(request)) => {
                let id = request.id.clone();
                self.begin_request(request, bytes).unwrap_or_else(|fault| Begun::Reply(fault.reply(&id)))
            }
            Ok(Message::Notification { method, params }) => {
                if method == "notifications/cancelled"
                    && let Some(id) = params.get("requestId")
                    && let Some(pending) = self.pending().remove(&id.to_string())
                {
                    pending.cancel.raise();
                }
                Begun::Nothing
            }
            Ok(Message::Answer) => Begun::Nothing,
            Err(reply) => Begun::Reply(reply),
        }
    }

    fn begin_request(self: &Arc<Self>, request: Request, bytes: usize) -> Result<Begun, Fault> {
        let Request { id, method, params } = request;
        let era = era_of(&method, &params, self.session.get().is_some())?;
        // Answered in the order of arrival, so that what follows already belongs to the session.
        if era == Era::Legacy && method == "initialize" {
            return Ok(Begun::Reply(success(&id, self.initialize(&params)?)));
        }
        if era == Era::Legacy && method == "ping" {
            return Ok(Begun::Reply(success(&id, json!({}))));
        }
        let cancel = Cancel::new();
        let listens = era == Era::Modern && method == "subscriptions/listen";
        let entry =
            self.enter(&id, Pending { cancel: cancel.clone(), bytes, subscription: listens.then(|| id.clone()) })?;
        if listens {
            entry.stay();
            let params = json!({ "_meta": { SUBSCRIPTION_KEY: id }, "notifications": {} });
            let method = "notifications/subscriptions/acknowledged";
            return Ok(Begun::Reply(json!({ "jsonrpc": "2.0", "method": method, "params": params })));
        }
        let connection = Arc::clone(self);
        Ok(Begun::Work(
            async move {
                let entry = entry;
                let answer = AssertUnwindSafe(connection.answer(era, &method, params, cancel.clone())).catch_unwind();
                let answered = tokio::select! {
                    biased;
                    () = cancel.raised() => return None,
                    answered = answer => answered,
                };
                drop(entry);
                Some(match answered {
                    Ok(Ok(result)) if era == Era::Modern => success(&id, finish(&connection.server, &method, result)),
                    Ok(Ok(result)) => success(&id, result),
                    Ok(Err(fault)) => fault.reply(&id),
                    Err(_panic) => Fault::new(INTERNAL_ERROR, "the server broke off on this request").reply(&id),
                })
            }
            .boxed(),
        ))
    }

    /// Answers a request in its turn.
    async fn answer(&self, era: Era, method: &str, params: Map<String, Value>, cancel: Cancel) -> Result<Value, Fault> {
        let _turn = self.running.acquire().await.map_err(|_| Fault::new(INTERNAL_ERROR, "the server is closing"))?;
        match (method, &self.server.resources) {
            ("server/discover", _) if era == Era::Modern => Ok(json!({
                "supportedVersions": [crate::mcp::version::MODERN],
                "capabilities": self.capabilities(),
                "instructions": self.server.instructions,
            })),
            ("tools/list", _) => {
                refuse_cursor(&params)?;
                Ok(json!({ "tools": self.server.tools.iter().map(|tool| tool.listed()).collect::<Vec<_>>() }))
            }
            ("tools/call", _) => self.call_tool(params, cancel).await,
            ("resources/list", Some(resources)) => {
                refuse_cursor(&params)?;
                Ok(json!({ "resources": resources.list(cancel).await? }))
            }
            ("resources/templates/list", Some(resources)) => {
                refuse_cursor(&params)?;
                Ok(json!({ "resourceTemplates": resources.templates() }))
            }
            ("resources/read", Some(resources)) => {
                let uri = text_member(&params, "uri")?;
                let code = if era == Era::Modern { INVALID_PARAMS } else { RESOURCE_NOT_FOUND };
                let contents = resources.read(uri.to_owned(), cancel).await?;
                let missing = || Fault::new(code, format!("Resource not found: {uri}")).with(json!({ "uri": uri }));
                Ok(json!({ "contents": contents.ok_or_else(missing)? }))
            }
            _ => Err(Fault::new(METHOD_NOT_FOUND, format!("Method not found: {method}"))),
        }
    }

    async fn call_tool(&self, mut params: Map<String, Value>, cancel: Cancel) -> Result<Value, Fault> {
        let arguments = match params.remove("arguments") {
            None | Some(Value::Null) => json!({}),
            Some(arguments @ Value::Object(_)) => arguments,
            Some(_) => return Err(Fault::new(INVALID_PARAMS, "params.arguments must be an object")),
        };
        let name = text_member(&params, "name")?;
        let tool = self.server.tools.iter().find(|tool| tool.name == name);
        let tool = tool.ok_or_else(|| Fault::new(INVALID_PARAMS, format!("Unknown tool: {name}")))?;
        Ok(result_of(tool.call(arguments, cancel).await))
    }

    fn initialize(&self, params: &Map<String, Value>) -> Result<Value, Fault> {
        let negotiated = negotiate(text_member(params, "protocolVersion")?);
        if self.session.set(negotiated).is_err() {
            return Err(Fault::new(INVALID_REQUEST, "this session is already initialized"));
        }
        Ok(json!({
            "protocolVersion": negotiated,
            "capabilities": self.capabilities(),
            "serverInfo": server_info(&self.server),
            "instructions": self.server.instructions,
        }))
    }

    fn capabilities(&self) -> Value {
        let mut capabilities = json!({ "tools": {} });
        if self.server.resources.is_some() {
            capabilities["resources"] = json!({});
        }
        capabilities
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        // Nothing that panics runs under this lock, and the map is whole at every step.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, id: &Value, request: Pending) -> Result<Entry, Fault> {
        let key = id.to_string();
        let mut pending = self.pending();
        if pending.contains_key(&key) {
            return Err(Fault::new(INVALID_REQUEST, format!("a request with id {key} is still running")));
        }
        let bytes: usize = pending.values().map(|pending| pending.bytes).sum();
        if pending.len() >= PENDING_MAX || bytes + request.bytes > PENDING_BYTES_MAX {
            let text = format!(
                "too much at once: at most {PENDING_MAX} requests and {PENDING_BYTES_MAX} bytes may wait; try again later"
            );
            return Err(Fault::new(INTERNAL_ERROR, text));
        }
        let cancel = request.cancel.clone();
        pending.insert(key.clone(), request);
        Ok(Entry { connection: Arc::clone(self), key, cancel, stays: false })
    }

    /// The results that end the open subscriptions.
    fn close_subscriptions(&self) -> Vec<Value> {
        let mut pending = self.pending();
        let ids: Vec<Value> = pending.values().filter_map(|pending| pending.subscription.clone()).collect();
        pending.retain(|_, pending| pending.subscription.is_none());
        let end = |id: &Value| {
            let result = json!({ "_meta": { SUBSCRIPTION_KEY: id } });
            success(id, finish(&self.server, "subscriptions/listen", result))
        };
        ids.iter().map(end).collect()
    }

    fn cancel_all(&self) {
        self.pending().values().for_each(|pending| pending.cancel.raise());
    }
}

/// Takes a request off the list of pending ones when it ends, however it ends.
struct Entry {
    connection: Arc<Connection>,
    key: String,
    cancel: Cancel,
    stays: bool,
}

impl Entry {
    /// Leaves the request pending until it is cancelled or the connection ends.
    fn stay(mut self) {
        self.stays = true;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // A cancelled request has left the list already, and its id may belong to another one by now.
        if !self.stays && !self.cancel.is_raised() {
            self.connection.pending().remove(&self.key);
        }
    }
}

fn text_member<'a>(params: &'a Map<String, Value>, name: &str) -> Result<&'a str, Fault> {
    let text = params.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Fault::new(INVALID_PARAMS, format!("params.{name} must be a string")))
}

/// Lists come in one page, so that no cursor was ever handed out.
fn refuse_cursor(params: &Map<String, Value>) -> Result<(), Fault> {
    match params.get("cursor") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(Fault::new(INVALID_PARAMS, "params.cursor is not one of this server's")),
    }
}

#[cfg(test)]
mod tests;
