//! Telling servers which log level a session asked for.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use omni_protocol::{Era, Method, request};
use omni_proxy::{Link, Outgoing};

use crate::session::Session;

/// Tells a link that the session uses for the first time which level it asked for before.
pub(crate) async fn replay(session: &Arc<Session>, link: &Arc<Link>) {
    let Some(level) = session.log_level() else { return };
    if session.level_told(link.server()) {
        tell(link, &level).await;
    }
}

/// Sends `logging/setLevel`. 2026-07-28 has no such request: there each call carries its level.
pub(crate) async fn tell(link: &Arc<Link>, level: &str) {
    if link.version().era() == Era::Modern {
        return;
    }
    let id = link.next_id();
    let body = Bytes::from(request(id, "logging/setLevel", &format!(r#"{{"level":"{level}"}}"#)));
    let headers = HeaderMap::new();
    let outgoing = Outgoing { body, id, method: Method::SetLevel, name: None, headers, progress_token: None };
    if let Err(error) = link.exchange(outgoing).await {
        tracing::debug!(server = %link.server(), %error, "the log level was not taken");
    }
}
