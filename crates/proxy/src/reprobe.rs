//! What was known of a server proves wrong: it speaks another era than before, or forgot the conversation. The verdict is
//! dropped, and asked for again.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use omni_protocol::{Era, ErrorCode, ListKind, Message};
use serde::Deserialize;
use tokio::time::Instant;

use crate::error::LinkError;
use crate::exchange::Exchange;
use crate::fetch::list_request;
use crate::hello::Speaks;
use crate::link::Link;
use crate::profile::Profile;
use crate::server::Server;
use crate::slots::close_all;
use crate::wire::Wire;

/// Between two questions which era a server speaks, should its calls make it doubtful again and again.
const DOUBT_PAUSE: Duration = Duration::from_secs(5);
/// HTTP statuses with which servers refuse a request of another era, before they look at what it asks for.
const REFUSALS: [u16; 6] = [400, 404, 405, 406, 415, 422];
/// Codes that such servers write. A server of 2026-07-28 writes others where the request itself is wrong.
const REFUSAL_CODES: [ErrorCode; 2] = [ErrorCode(-32000), ErrorCode::INVALID_REQUEST];
/// How begins what servers of the earlier revisions say to who did not open a conversation, in lower case. Behind it they
/// may repeat what a client wrote, which is no reason for anything.
const UNINITIALIZED: [&str; 3] =
    ["server not initialized", "server is not initialized", "received request before initialization"];
/// What may stand before it.
const BAD_REQUEST: &str = "bad request: ";

impl Link {
    /// Whether the server refused the request as one does that speaks another era than this link, or knows nothing of its
    /// conversation: a reason to ask it, and no more.
    #[must_use]
    pub fn refused(&self, outcome: &Result<Exchange, LinkError>) -> bool {
        match outcome {
            Ok(exchange) => match exchange.first.error_code() {
                None => false,
                Some(ErrorCode::UNSUPPORTED_VERSION) => self.shares_channel() || exchange.status == 400,
                Some(_) if self.shares_channel() => is_uninitialized(&exchange.first),
                Some(code) => exchange.status == 400 && REFUSAL_CODES.contains(&code),
            },
            // Of a channel, what was said to one POST says nothing of the conversation.
            Err(LinkError::Status { status, .. }) => !self.shares_channel() && REFUSALS.contains(status),
            Err(error) => matches!(error, LinkError::SessionLost | LinkError::Handshake(_)),
        }
    }

    /// Whether its server refuses the hub's own request too, which holds nothing of a client's, as one that knows nothing
    /// of the conversation.
    async fn refuses_the_hub(self: &Arc<Self>, limit: Duration) -> bool {
        // `ping` is answered before a handshake, too.
        let Ok(outgoing) = list_request(self, ListKind::Tools, None) else { return false };
        let Ok(outcome) = tokio::time::timeout(limit, self.exchange(outgoing)).await else { return false };
        self.refused(&outcome)
            && match &outcome {
                Ok(Exchange { first, .. }) => {
                    first.error_code() == Some(ErrorCode::UNSUPPORTED_VERSION) || is_uninitialized(first)
                }
                Err(error) => matches!(error, LinkError::SessionLost),
            }
    }
}

impl Server {
    /// `link` refused a request: asks anew which era the server speaks. `true` when the verdict is another one now, so
    /// that what was refused may be tried once more, on another link.
    pub async fn doubt(self: &Arc<Self>, link: &Arc<Link>, outcome: &Result<Exchange, LinkError>) -> bool {
        let mut last = self.doubts.lock().await;
        if !self.holds(link) {
            // Another call found out in the meantime.
            return true;
        }
        if self.is_stopped() || last.is_some_and(|last| last.elapsed() < DOUBT_PAUSE) {
            return false;
        }
        let anew = self.ask_anew(link, outcome).await;
        // Only now: whoever waited meanwhile takes this verdict, and does not ask once more.
        *last = Some(Instant::now());
        anew
    }

    /// `true` when the server proved another one than `link` knows, and what is not valid any more was left.
    async fn ask_anew(self: &Arc<Self>, link: &Arc<Link>, outcome: &Result<Exchange, LinkError>) -> bool {
        let limit = self.spec.pool.connect_timeout;
        let lost = match outcome {
            Err(error) => matches!(error, LinkError::SessionLost),
            // What a client may have put into a server's mouth ends nothing that others use, and repeats no call.
            Ok(exchange) if link.shares_channel() || is_uninitialized(&exchange.first) => {
                link.refuses_the_hub(limit).await
            }
            Ok(_) => false,
        };
        let era = link.version().era();
        let found = match link.wire() {
            Wire::Channel(_) if !lost => return false,
            // One channel, one conversation: who does not know it any more has to be met anew.
            Wire::Channel(_) => None,
            Wire::Http(_) => match self.ask_era(era).await {
                Ok(found) if found == era && !lost => return false,
                Ok(found) => Some(found),
                Err(error) => {
                    tracing::debug!(server = %self.spec.name, %error, "which era it speaks could not be found out");
                    return false;
                }
            },
        };
        tracing::info!(server = %self.spec.name, "it does not speak as before: the handshake is made anew");
        let speaks = Speaks {
            modern: found.map(|f| f == Era::Modern),
            legacy: found.map(|f| f == Era::Legacy),
            ..Default::default()
        };
        *self.speaks.lock().unwrap_or_else(PoisonError::into_inner) = speaks;
        self.leave(|other| std::ptr::eq(other, Arc::as_ptr(link)) || found.is_some_and(|f| other.version().era() != f));
        true
    }

    /// Greets it as somebody who knows nothing of it, in `era` first.
    async fn ask_era(self: &Arc<Self>, era: Era) -> Result<Era, LinkError> {
        let version =
            if era == Era::Modern { omni_protocol::Version::LATEST } else { omni_protocol::Version::LATEST_LEGACY };
        let limit = self.spec.pool.connect_timeout;
        let mut next_id = 1;
        let profile = Profile::hub(version);
        let greeting = self.attempt(&profile, Speaks::default(), &mut next_id);
        let late = LinkError::Timeout { seconds: limit.as_secs() };
        let (wire, hello) = tokio::time::timeout(limit, greeting).await.unwrap_or(Err(late))?;
        wire.close();
        Ok(hello.version.era())
    }

    /// Whether `link` is one of those that calls are given.
    pub(crate) fn holds(&self, link: &Arc<Link>) -> bool {
        let is_it = |c: &crate::slots::Connecting| matches!(&*c.borrow(), Some(Ok(held)) if Arc::ptr_eq(held, link));
        self.lock().values().flatten().any(is_it)
    }

    /// Ends the links that `which` names.
    fn leave(&self, which: impl Fn(&Link) -> bool) {
        let mut left = Vec::new();
        self.lock().retain(|_, all| {
            left.extend(all.extract_if(.., |c| matches!(&*c.borrow(), Some(Ok(link)) if which(link))));
            !all.is_empty()
        });
        close_all(&left);
    }
}

fn is_uninitialized(answer: &Message) -> bool {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    if !answer.error_code().is_some_and(|code| REFUSAL_CODES.contains(&code)) {
        return false;
    }
    let Some(Ok(said)) = answer.error().map(serde_json::from_str::<Said>) else { return false };
    let said = said.message.to_ascii_lowercase();
    let said = said.strip_prefix(BAD_REQUEST).unwrap_or(&said);
    UNINITIALIZED.iter().any(|words| said.starts_with(words))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_protocol::Message;

    use super::is_uninitialized;

    #[test]
    fn gw_1_what_a_client_wrote_is_no_refusal() {
        let said = |code: i64, message: &str| {
            let error = serde_json::json!({ "code": code, "message": message, "data": "Server not initialized" });
            let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "error": error });
            is_uninitialized(&Message::parse(body.to_string().into()).unwrap())
        };
        assert!(said(-32000, "Bad Request: Server not initialized"));
        assert!(said(-32600, "Server is not initialized yet"));
        assert!(said(-32000, "Received request before initialization was complete"));
        assert!(!said(-32002, "Server not initialized"));
        assert!(!said(-32000, "Resource x://server not initialized not found"));
        assert!(!said(-32000, "it failed"));
    }
}
