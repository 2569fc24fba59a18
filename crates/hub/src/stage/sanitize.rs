//! `Answered → Sanitized`: fit to leave. Ids, names and URIs are the client's again; what another era cannot read is
//! translated; harmless content is unchanged to the byte (row TOOL-5 adds masking here).

use std::sync::Arc;

use bytes::Bytes;
use omni_protocol::{Era, ErrorCode, Message, MessageKind, Method, Splice, Version, error_response, response};
use omni_proxy::{Link, Messages, Place, Profile};
use omni_types::{Fault, FaultKind, Principal};

use crate::Hub;
use crate::calls::Booked;
use crate::rewrite::rewrite_uris;
use crate::scope::Scope;
use crate::stage::forward::{Answered, unless_cancelled};
use crate::stage::translate::{error_for, result_for};
use crate::stage::validate::Caller;

/// An answer fit to leave.
#[derive(Debug)]
pub struct Sanitized {
    first: Bytes,
    rest: Option<SanitizedStream>,
    status: u16,
}

/// What follows, message by message, up to the answer.
#[derive(Debug)]
pub struct SanitizedStream {
    passage: Passage,
    messages: Messages,
    booked: Option<Booked>,
    _place: Place,
}

/// What has to be known to carry a message from a server to its client.
#[derive(Debug)]
struct Passage {
    hub: Arc<Hub>,
    client_id: String,
    method: Method,
    caller: Caller,
    version: Version,
    scope: Scope,
    principal: Principal,
    profile: Profile,
    link: Arc<Link>,
}

impl Sanitized {
    /// An answer that the hub made itself: `result` is its own JSON text.
    pub(crate) fn own(id: &str, result: &str) -> Self {
        Self { first: response(id, result).into(), rest: None, status: 200 }
    }

    /// The first message, what follows, and the HTTP status that a server of 2026-07-28 chose.
    #[must_use]
    pub fn into_parts(self) -> (Bytes, Option<SanitizedStream>, u16) {
        (self.first, self.rest, self.status)
    }
}

/// Makes the answer fit to leave.
///
/// # Errors
/// When it cannot be carried to this client.
pub async fn sanitize(hub: &Arc<Hub>, answered: Answered) -> Result<Sanitized, Fault> {
    let Answered { authorized, link, exchange, booked, place } = answered;
    let admitted = authorized.admitted;
    let authenticated = admitted.authenticated;
    let validated = authenticated.validated;
    let passage = Passage {
        hub: Arc::clone(hub),
        client_id: validated.message().id().unwrap_or("null").to_owned(),
        method: validated.method().cloned().unwrap_or_else(|| Method::parse("")),
        version: validated.version(),
        scope: validated.received().scope.clone(),
        caller: validated.caller.clone(),
        profile: validated.profile().clone(),
        principal: authenticated.principal,
        link,
    };
    // A status other than 200 means something only between two of 2026-07-28.
    let both_modern = passage.version.era() == Era::Modern && passage.link.version().era() == Era::Modern;
    let status = match exchange.first.error_code() {
        _ if both_modern => exchange.status,
        Some(ErrorCode::METHOD_NOT_FOUND) if passage.version.era() == Era::Modern => 404,
        _ => 200,
    };
    let Some(messages) = exchange.rest else {
        return Ok(Sanitized { first: passage.answer(&exchange.first)?, rest: None, status });
    };
    let first = unless_cancelled(booked.as_ref(), passage.carry(exchange.first)).await?;
    let mut stream = SanitizedStream { passage, messages, booked, _place: place };
    let first = match first {
        Some(first) => first,
        // What was dropped is not worth a stream: the next one may be the answer.
        None => match Box::pin(stream.next()).await? {
            Some((first, true)) => return Ok(Sanitized { first, rest: None, status }),
            Some((first, false)) => first,
            None => return Err(Fault::new(FaultKind::ServerBroken, "the server's stream held no answer")),
        },
    };
    Ok(Sanitized { first, rest: Some(stream), status })
}

impl SanitizedStream {
    /// The next message, and whether it is the answer; `None` after that.
    ///
    /// # Errors
    /// When the server fails, or the client cancels the call.
    pub async fn next(&mut self) -> Result<Option<(Bytes, bool)>, Fault> {
        let Self { passage, messages, booked, .. } = self;
        unless_cancelled(booked.as_ref(), async {
            loop {
                let next = messages.next().await.map_err(|e| passage.link.fault(&e))?;
                let Some(message) = next else { return Ok(None) };
                if message.kind() == MessageKind::Response {
                    return Ok(Some((passage.answer(&message)?, true)));
                }
                if let Some(bytes) = passage.carry(message).await? {
                    return Ok(Some((bytes, false)));
                }
            }
        })
        .await
    }

    /// JSON text of the id of the call that is answered.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.passage.client_id
    }

    /// The revision that the client speaks.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.passage.version
    }
}

impl Passage {
    /// The answer as the client has to see it.
    fn answer(&self, message: &Message) -> Result<Bytes, Fault> {
        let mut splice = Splice::new();
        match message.id_range() {
            Some(range) => splice.replace(range, self.client_id.as_bytes()),
            None => {
                // A server that answers without an id could not read the request; the client knows what it asked.
                let error = message.error().unwrap_or("{}");
                return Ok(format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, self.client_id).into());
            }
        }
        let era = self.version.era();
        let crosses = era != self.link.version().era();
        if let (Some(result), Some(range)) = (message.result(), message.result_range()) {
            let translated = if crosses { Some(result_for(era, &self.method, result, &self.link)?) } else { None };
            let current = translated.as_deref().unwrap_or(result);
            let rewritten = self.rewrite(current);
            if let Some(text) = rewritten.or(translated) {
                splice.replace(range, text.into_bytes());
            }
        } else if let Some(error) = message.error().filter(|_| crosses)
            && let Some(text) = error_for(era, &self.method, error, message.error_code())
        {
            let start = error.as_ptr() as usize - message.bytes().as_ptr() as usize;
            splice.replace(start..start + error.len(), text.into_bytes());
        }
        Ok(splice.apply(message.bytes()).into())
    }

    /// URIs that another server has too are shown under names that tell them apart.
    fn rewrite(&self, result: &str) -> Option<String> {
        if self.scope != Scope::All || !result.contains("\"uri\"") {
            return None;
        }
        let view = self.hub.view(&self.scope, &self.principal, &self.profile);
        if view.servers().len() < 2 {
            return None;
        }
        let snapshot = self.hub.snapshot();
        let server = snapshot.server(self.link.server().as_str())?;
        rewrite_uris(&self.method, result, &|uri| view.shown_uri(&self.scope, server, uri))
    }

    /// A message before the answer as the client has to see it; `None` when it is not for it.
    async fn carry(&self, message: Message) -> Result<Option<Bytes>, Fault> {
        if message.kind() == MessageKind::Request {
            // Rare, and large: boxed, it does not weigh on every call.
            return Box::pin(self.ask(&message)).await;
        }
        match (message.method(), &self.caller) {
            (Some(Method::LogMessage), Caller::Modern(meta)) if meta.log_level.is_none() => Ok(None),
            // What a server of 2026-07-28 says of its subscriptions belongs to no call.
            (Some(Method::Acknowledged), _) => Ok(None),
            _ => Ok(Some(message.bytes().clone())),
        }
    }

    /// A request of the server's to the client, in between.
    async fn ask(&self, message: &Message) -> Result<Option<Bytes>, Fault> {
        let id = message.id().unwrap_or("null");
        let name = message.method().map_or("", Method::as_str);
        let own = self.link.key().session.is_some();
        let refusal = match (&self.caller, message.method()) {
            (_, Some(Method::Ping)) => response(id, "{}"),
            (Caller::Session(session), _) if own => match (session.ask(&self.link, id), message.id_range()) {
                (Some(number), Some(range)) => {
                    let mut splice = Splice::new();
                    splice.replace(range, number.to_string().into_bytes());
                    return Ok(Some(splice.apply(message.bytes()).into()));
                }
                _ => error_response(Some(id), ErrorCode::INTERNAL, "too many requests wait for this client", None),
            },
            _ => {
                let why = format!("`{name}` cannot be carried to this client");
                error_response(Some(id), ErrorCode::METHOD_NOT_FOUND, &why, None)
            }
        };
        self.link.send(refusal.into()).await.map_err(|e| self.link.fault(&e))?;
        Ok(None)
    }
}
