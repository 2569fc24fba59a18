//! Telling servers which log level a client asked for.

use std::sync::Arc;

use bytes::Bytes;
use omni_protocol::{Era, Method, members, request};
use omni_proxy::{Link, Outgoing};

use crate::session::Session;

/// Levels of RFC 5424 as the specification lists them, from the one that tells most.
pub(crate) const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// The place of `level` among them: the higher, the graver.
pub(crate) fn rank(level: &str) -> Option<u8> {
    LEVELS.iter().position(|known| *known == level).and_then(|at| u8::try_from(at).ok())
}

/// Tells a link that the session uses for the first time which level it asked for before.
pub(crate) async fn replay(session: &Arc<Session>, link: &Arc<Link>) {
    let Some(level) = session.log_level() else { return };
    if session.level_told(link.server()) {
        tell(link, &level).await;
    }
}

/// A call of 2026-07-28 wants to hear of `level` from a server of an earlier revision, whose level is one for the whole
/// link: it is lowered, never raised, and each call is told what it asked for.
pub(crate) async fn lower(link: &Arc<Link>, level: &str) {
    let logs = || {
        let declared = members(&link.hello().capabilities).unwrap_or_default();
        declared.iter().any(|(name, _)| name == "logging")
    };
    if let Some(rank) = rank(level)
        && link.lowers_level(rank)
        && logs()
    {
        tell(link, level).await;
    }
}

/// Sends `logging/setLevel`. 2026-07-28 has no such request: there each call carries its level.
pub(crate) async fn tell(link: &Arc<Link>, level: &str) {
    if link.version().era() == Era::Modern {
        return;
    }
    let id = link.next_id();
    let body = Bytes::from(request(id, "logging/setLevel", &format!(r#"{{"level":"{level}"}}"#)));
    let headers = Vec::new();
    let outgoing = Outgoing { body, id, method: Method::SetLevel, name: None, headers, progress_token: None };
    if let Err(error) = link.exchange(outgoing).await {
        tracing::debug!(server = %link.server(), %error, "the log level was not taken");
    }
}
