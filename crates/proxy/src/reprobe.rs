//! What was known of a server proves wrong: it speaks another era than before, or forgot the conversation. The verdict is
//! dropped, and asked for again.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use omni_protocol::{Era, ErrorCode, Message};

use crate::error::LinkError;
use crate::exchange::Exchange;
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
/// Codes that such servers write beside 400. A server of 2026-07-28 writes others where the request itself is wrong.
const REFUSAL_CODES: [ErrorCode; 2] = [ErrorCode(-32000), ErrorCode::INVALID_REQUEST];
/// What servers of the earlier revisions say to who did not open a conversation, in lower case.
const UNINITIALIZED: [&str; 3] = ["server not initialized", "server is not initialized", "before initialization"];

impl Link {
    /// Whether the server refused the request before anything ran, as one does that speaks another era than this link,
    /// or knows nothing of its conversation.
    #[must_use]
    pub fn refused(&self, outcome: &Result<Exchange, LinkError>) -> bool {
        match outcome {
            Ok(exchange) => match exchange.first.error_code() {
                None => false,
                Some(ErrorCode::UNSUPPORTED_VERSION) => true,
                Some(code) if exchange.status == 400 && REFUSAL_CODES.contains(&code) => true,
                Some(_) => is_uninitialized(&exchange.first),
            },
            Err(LinkError::Status { status, .. }) => REFUSALS.contains(status),
            Err(error) => matches!(error, LinkError::SessionLost | LinkError::Handshake(_)),
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
        *last = Some(Instant::now());
        let lost = match outcome {
            Ok(exchange) => is_uninitialized(&exchange.first),
            Err(error) => matches!(error, LinkError::SessionLost),
        };
        let era = link.version().era();
        let found = match link.wire() {
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

    fn holds(&self, link: &Arc<Link>) -> bool {
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
    let Some(error) = answer.error() else { return false };
    // A tool's own error is a result, and what a server says of a request it took has another code.
    let refuses = answer.error_code().is_some_and(|code| REFUSAL_CODES.contains(&code) || code.0 == -32002);
    let said = error.to_ascii_lowercase();
    refuses && UNINITIALIZED.iter().any(|words| said.contains(words))
}
