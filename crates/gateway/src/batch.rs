//! Batches of revision 2025-03-26: several messages in one JSON array, run side by side, answered in one.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use omni_hub::stage::{Channel, ClientHeaders, Received};
use omni_hub::{Calls, Hub, Identified, Reply, Scope, Session, dispatch};
use omni_protocol::{BatchError, Message, MessageKind, Method, Version, error_response, split_batch};
use omni_types::{Fault, FaultKind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::fault;
use crate::speech::Speech;

/// Messages of one batch.
pub(crate) const MEMBERS_MAX: usize = 64;
/// Of these, requests at a time.
const AT_ONCE_MAX: usize = 16;
/// Messages that wait to be taken.
const WAITING_MAX: usize = 16;

/// Where a batch came from: what its members have in common.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) hub: Arc<Hub>,
    pub(crate) scope: Scope,
    pub(crate) channel: Channel,
    pub(crate) sender: Identified,
    pub(crate) session: Arc<Session>,
    pub(crate) calls: Arc<Calls>,
    pub(crate) version_header: Option<String>,
    pub(crate) forwarded: Vec<(HeaderName, HeaderValue)>,
}

/// The members of `body`, as pieces of it.
///
/// # Errors
/// When the revision has no batches, or the batch is empty, too long or no JSON.
pub(crate) fn split(body: &Bytes, version: Option<Version>) -> Result<Vec<Bytes>, Fault> {
    if version != Some(Version::V2025_03_26) {
        let who = match version {
            Some(version) => format!("revision {} has no batches", version.as_str()),
            None => "a batch needs a session of revision 2025-03-26".to_owned(),
        };
        let why = format!("{who}, which 2025-03-26 alone knows; send one message a request");
        return Err(Fault::new(FaultKind::InvalidRequest, why));
    }
    let members = split_batch(body, MEMBERS_MAX).map_err(|error| match error {
        BatchError::TooMany { .. } => Fault::new(FaultKind::InvalidRequest, error.to_string()),
        BatchError::Unreadable(_) => Fault::new(FaultKind::Unparsable, format!("the body: {error}")),
    })?;
    if members.is_empty() {
        return Err(Fault::new(FaultKind::InvalidRequest, "a batch holds at least one message"));
    }
    Ok(members)
}

/// A batch that is being answered. Let go, it cancels what still runs.
pub(crate) struct Batch {
    coming: mpsc::Receiver<(Bytes, bool)>,
    _running: JoinSet<()>,
}

impl Batch {
    pub(crate) fn start(origin: Origin, members: Vec<Bytes>) -> Self {
        let (out, coming) = mpsc::channel(WAITING_MAX);
        let mut running = JoinSet::new();
        running.spawn(run(origin, members, out));
        Self { coming, _running: running }
    }

    /// The next message, and whether it is an answer; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<(Bytes, bool)> {
        self.coming.recv().await
    }
}

/// In the order of the array, so that a cancellation finds the call that stands before it.
async fn run(origin: Origin, members: Vec<Bytes>, out: mpsc::Sender<(Bytes, bool)>) {
    let mut running = JoinSet::new();
    for body in members {
        let message = Message::parse(body.clone()).ok();
        let kind = message.as_ref().map(Message::kind);
        if message.as_ref().is_some_and(|m| m.method() == Some(&Method::Initialize)) {
            let why = Fault::new(FaultKind::InvalidRequest, "`initialize` must not be part of a batch");
            let id = message.as_ref().and_then(Message::id);
            let _client_gone = out.send((fault::body(&why, id, Version::V2025_03_26).into(), true)).await;
        } else if kind == Some(MessageKind::Notification) {
            // It asks for no answer, not even for a bad one (JSON-RPC 2.0 section 6).
            dispatch(&origin.hub, origin.received(body)).await;
        } else {
            while running.len() >= AT_ONCE_MAX {
                running.join_next().await;
            }
            let (origin, out, is_answer) = (origin.clone(), out.clone(), kind == Some(MessageKind::Response));
            running.spawn(async move {
                let reply = dispatch(&origin.hub, origin.received(body)).await;
                say(reply, is_answer, &out).await;
            });
        }
    }
    while running.join_next().await.is_some() {}
}

async fn say(reply: Reply, to_an_answer: bool, out: &mpsc::Sender<(Bytes, bool)>) {
    if to_an_answer && matches!(reply, Reply::Failed { .. }) {
        return;
    }
    let mut speech = Speech::of(reply);
    while let Some(message) = speech.next().await {
        if out.send(message).await.is_err() {
            return;
        }
    }
}

impl Origin {
    fn received(&self, body: Bytes) -> Received {
        let headers = ClientHeaders {
            version: self.version_header.clone(),
            forwarded: self.forwarded.clone(),
            ..ClientHeaders::default()
        };
        Received {
            body,
            scope: self.scope.clone(),
            channel: self.channel,
            sender: self.sender.clone(),
            session: Some(Arc::clone(&self.session)),
            calls: Some(Arc::clone(&self.calls)),
            headers,
        }
    }
}

/// Answers gathered into one array.
#[derive(Default)]
pub(crate) struct Answers(Vec<Bytes>);

impl Answers {
    pub(crate) fn add(&mut self, answer: Bytes) {
        self.0.push(answer);
    }

    /// One by one, for a stream.
    pub(crate) fn into_messages(self) -> Vec<Bytes> {
        self.0
    }

    /// The array; `None` when there was nothing to answer.
    pub(crate) fn into_array(self) -> Option<Bytes> {
        if self.0.is_empty() {
            return None;
        }
        let mut array = Vec::with_capacity(self.0.iter().map(|answer| answer.len() + 1).sum::<usize>() + 1);
        for answer in &self.0 {
            array.push(if array.is_empty() { b'[' } else { b',' });
            array.extend_from_slice(answer);
        }
        array.push(b']');
        Some(array.into())
    }
}

/// The refusal of a batch as a whole.
pub(crate) fn refusal(fault: &Fault, version: Option<Version>) -> Bytes {
    let version = version.unwrap_or(Version::LATEST_LEGACY);
    if version == Version::LATEST {
        return error_response(None, omni_protocol::ErrorCode::INVALID_REQUEST, fault.public(), None).into();
    }
    fault::body(fault, None, version).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use omni_protocol::Version;

    use super::{Answers, MEMBERS_MAX, split};

    const ONLY: Option<Version> = Some(Version::V2025_03_26);

    #[test]
    fn gw_1_only_2025_03_26_has_batches_and_they_are_bounded() {
        let body = Bytes::from_static(b"[1]");
        for version in Version::ALL {
            let refused = split(&body, Some(version)).map_err(|fault| fault.public().to_owned());
            match refused {
                Ok(_) => assert_eq!(Some(version), ONLY),
                Err(why) => assert!(why.contains(version.as_str()) && why.contains("batch"), "{why}"),
            }
        }
        assert!(split(&body, None).is_err() && split(&Bytes::from_static(b"[]"), ONLY).is_err());
        assert!(split(&Bytes::from_static(b"[1"), ONLY).is_err());
        let many = |count: usize| Bytes::from(format!("[{}1]", "1,".repeat(count - 1)));
        assert_eq!(split(&many(MEMBERS_MAX), ONLY).unwrap().len(), MEMBERS_MAX);
        assert!(split(&many(MEMBERS_MAX + 1), ONLY).is_err());
    }

    #[test]
    fn answers_make_one_array() {
        let mut answers = Answers::default();
        answers.add(Bytes::from_static(b"{}"));
        answers.add(Bytes::from_static(b"{\"a\":1}"));
        assert_eq!(answers.into_array().unwrap().as_ref(), b"[{},{\"a\":1}]");
        assert!(Answers::default().into_array().is_none());
    }
}
