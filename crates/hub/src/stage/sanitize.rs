//! `Answered → Sanitized`: fit to leave. Ids, names and URIs are the client's again; what another era cannot read is
//! translated; harmless content is unchanged to the byte (row TOOL-5 adds masking here).

use std::sync::Arc;

use bytes::Bytes;
use omni_protocol::response;
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::stage::failure::says_failure;
use crate::stage::forward::{Answered, Arrived};
use crate::stage::passage::Passage;
use crate::stage::stream::SanitizedStream;

/// An answer fit to leave.
#[derive(Debug)]
pub struct Sanitized {
    first: Bytes,
    rest: Option<Box<SanitizedStream>>,
    status: u16,
    is_error: bool,
}

impl Sanitized {
    /// An answer that the hub made itself: `result` is its own JSON text.
    pub(crate) fn own(id: &str, result: &str) -> Self {
        Self { first: response(id, result).into(), rest: None, status: 200, is_error: false }
    }

    /// An error of a server's that is the answer as it is: `error` is its JSON text.
    pub(crate) fn own_error(id: &str, error: &str) -> Self {
        let first = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into();
        Self { first, rest: None, status: 200, is_error: true }
    }

    /// A whole answer that is fit to leave as it is.
    pub(super) fn ready(first: Bytes) -> Self {
        Self { first, rest: None, status: 200, is_error: false }
    }

    /// The message, where it is the whole answer and tells of no failure.
    pub(super) const fn whole(&self) -> Option<&Bytes> {
        if self.rest.is_none() && self.status == 200 && !self.is_error { Some(&self.first) } else { None }
    }

    /// Whether it says that what was asked for failed; not known while there is more to come.
    pub(crate) const fn is_error(&self) -> bool {
        self.is_error
    }

    /// What follows, if anything does.
    pub(crate) const fn rest_mut(&mut self) -> Option<&mut Box<SanitizedStream>> {
        self.rest.as_mut()
    }

    /// The first message, what follows, and the HTTP status that a server of 2026-07-28 chose.
    #[must_use]
    pub fn into_parts(self) -> (Bytes, Option<Box<SanitizedStream>>, u16) {
        (self.first, self.rest, self.status)
    }
}

/// Makes the answer fit to leave.
///
/// # Errors
/// When it cannot be carried to this client.
pub async fn sanitize(hub: &Arc<Hub>, answered: Answered) -> Result<Sanitized, Fault> {
    let Answered { authorized, link, arrived, booked, place } = answered;
    let admitted = authorized.admitted;
    let name = authorized.access.map(|found| found.name).unwrap_or_default();
    let passage = Passage::new(hub, admitted.authenticated, link, name);
    let plain = |exchange: &omni_proxy::Exchange| exchange.rest.is_none() && !passage.needs_more(&exchange.first);
    let stream = match arrived {
        // By far the most frequent: one message, which is the answer.
        Arrived::Answer { exchange, .. } if plain(&exchange) => {
            let status = passage.status(exchange.status, exchange.first.error_code());
            let is_error = says_failure(&exchange.first);
            let first = passage.answer_fit_to_leave(exchange.first)?;
            return Ok(Sanitized { first, rest: None, status, is_error });
        }
        arrived => SanitizedStream::new(passage, arrived, booked, place),
    };
    let mut stream = Box::new(stream);
    match Box::pin(stream.next()).await? {
        Some((first, true)) => {
            Ok(Sanitized { first, rest: None, status: stream.status(), is_error: stream.is_error() })
        }
        Some((first, false)) => Ok(Sanitized { first, rest: Some(stream), status: 200, is_error: false }),
        None => Err(Fault::new(FaultKind::ServerBroken, "the server's stream held no answer")),
    }
}
