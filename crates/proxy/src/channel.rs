//! One channel to a server on which calls run side by side: a process's pipes, a WebSocket, a session of HTTP+SSE.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use omni_protocol::{Message, notification};
use tokio::sync::mpsc;

use crate::calls::{Call, Queued, Shared, Unasked};
use crate::demux::Demux;
use crate::error::LinkError;
use crate::inbox::Inbox;
use crate::outgoing::Outgoing;
use crate::watch_channel;

/// Messages that may wait to be written; a server that does not read holds up only its own calls.
const OUTBOX_MAX: usize = 64;
/// For the transport to know why it ended, after its queue was found closed.
const END_WAIT: Duration = Duration::from_millis(20);
/// For what was put in line before the channel was let go to be written.
const LAST_WRITES_WAIT: Duration = Duration::from_millis(200);

/// Told once when the channel has ended.
pub(crate) type OnEnd = Box<dyn FnOnce(LinkError) + Send>;

/// The side of the calls.
#[derive(Debug)]
pub(crate) struct Channel {
    shared: Arc<Shared>,
    outbox: Mutex<Option<mpsc::Sender<Queued>>>,
}

/// The side of the transport: what is to be written, and where what was read goes.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) queue: Queue,
    pub(crate) demux: Demux,
}

/// What is to be written.
#[derive(Debug)]
pub(crate) struct Queue {
    messages: mpsc::Receiver<Queued>,
    closing: watch_channel::Receiver<bool>,
}

/// One call on the channel; dropped, its later messages are thrown away.
#[derive(Debug)]
pub(crate) struct ChannelCall {
    shared: Weak<Shared>,
    inbox: Arc<Inbox>,
    id: u64,
}

impl ChannelCall {
    pub(crate) async fn next(&self) -> Result<Message, LinkError> {
        self.inbox.next().await
    }

    /// Whether messages were dropped since this was asked last.
    pub(crate) fn overflowed(&self) -> bool {
        self.inbox.overflowed()
    }
}

impl Drop for ChannelCall {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            let mut calls = shared.lock();
            if calls.open.remove(&self.id).is_some_and(|call| !call.is_hubs_own()) {
                calls.let_go.remember(self.id);
            }
        }
    }
}

impl Channel {
    /// A channel to `server`, and the side that its transport serves.
    pub(crate) fn new(server: &str) -> (Self, Port) {
        let (outbox, messages) = mpsc::channel(OUTBOX_MAX);
        let shared = Arc::new(Shared {
            calls: Mutex::default(),
            alive: AtomicBool::new(true),
            heard: AtomicU64::new(0),
            unasked: OnceLock::new(),
            closing: watch_channel::Sender::new(false),
        });
        let queue = Queue { messages, closing: shared.closing.subscribe() };
        let demux = Demux::new(server, Arc::clone(&shared), outbox.downgrade());
        (Self { shared, outbox: Mutex::new(Some(outbox)) }, Port { queue, demux })
    }

    /// Who hears what belongs to no call. Until it is set, such messages are dropped.
    pub(crate) fn on_unasked(&self, unasked: Unasked) {
        let _only_once = self.shared.unasked.set(unasked);
    }

    /// Whether its server may be at work still on a call that was let go: what it asks then belongs to nobody.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.shared.lock().let_go.may_ask()
    }

    /// How many messages came.
    pub(crate) fn heard(&self) -> u64 {
        self.shared.heard.load(Ordering::Relaxed)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.shared.alive.load(Ordering::Acquire)
    }

    /// Returns when it has ended, or is let go.
    pub(crate) async fn ended(&self) {
        drop(self.shared.closing.subscribe().wait_for(|closing| *closing).await);
    }

    pub(crate) async fn call(&self, outgoing: Outgoing) -> Result<ChannelCall, LinkError> {
        let Outgoing { body, id, method, progress_token, .. } = outgoing;
        let inbox = Inbox::new();
        {
            let mut calls = self.shared.lock();
            if let Some(end) = &calls.end {
                return Err(end.clone());
            }
            calls.open.insert(id, Call { inbox: Arc::clone(&inbox), method, progress_token });
        }
        let call = ChannelCall { shared: Arc::downgrade(&self.shared), inbox, id };
        self.put(Queued { message: body, call: Some(id) }).await?;
        Ok(call)
    }

    pub(crate) async fn write(&self, message: Bytes) -> Result<(), LinkError> {
        self.put(Queued { message, call: None }).await
    }

    async fn put(&self, queued: Queued) -> Result<(), LinkError> {
        let outbox = self.outbox().ok_or(LinkError::Stopped)?;
        if outbox.send(queued).await.is_ok() {
            return Ok(());
        }
        // The writer is gone because the server is; the reader is about to know how it ended.
        tokio::time::sleep(END_WAIT).await;
        let how = "it stopped reading".to_owned();
        Err(self.shared.lock().end.clone().unwrap_or(LinkError::Disconnected { why: how }))
    }

    pub(crate) fn write_if_room(&self, message: Bytes) {
        if let Some(outbox) = self.outbox() {
            let _best_effort = outbox.try_send(Queued { message, call: None });
        }
    }

    /// Lets go of the server: its transport ends the conversation.
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

    fn outbox(&self) -> Option<mpsc::Sender<Queued>> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // A connection must not outlive the last who could use it.
        self.shared.closing.send_replace(true);
    }
}

impl Queue {
    /// The next message to write; `None` when there will be none.
    pub(crate) async fn next(&mut self) -> Option<Queued> {
        self.messages.recv().await
    }

    /// The next one, if it is in line already.
    pub(crate) fn ready(&mut self) -> Option<Queued> {
        self.messages.try_recv().ok()
    }

    /// Returns some time after the channel was let go: what was put in line before may still go out, to a server that
    /// reads.
    pub(crate) fn let_go(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.clone();
        async move {
            // Whether it was told or its sender is gone, the end is the same.
            drop(closing.wait_for(|close| *close).await);
            tokio::time::sleep(LAST_WRITES_WAIT).await;
        }
    }
}
