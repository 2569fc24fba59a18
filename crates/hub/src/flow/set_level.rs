//! `logging/setLevel`: kept for the session, and told to the servers it talks to.

use std::sync::Arc;

use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::log_level::{LEVELS, tell};
use crate::scope::Scope;
use crate::stage::{Caller, Sanitized, Validated, authenticate};

/// Keeps the level. Servers behind that do not log are not asked.
pub(crate) async fn set_level(hub: &Arc<Hub>, validated: Validated) -> Result<Sanitized, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let validated = authenticated.validated();
    let level = validated.params().level.as_deref().unwrap_or_default();
    if !LEVELS.contains(&level) {
        let why = format!("params.level must be one of {}", LEVELS.join(", "));
        return Err(Fault::new(FaultKind::InvalidParams, why));
    }
    if let Caller::Session(session) = validated.caller() {
        session.set_log_level(level);
        for server in hub.servers(&session.scope) {
            let profile = session.link_profile();
            let logs = server.catalog_now(&profile).catalog.is_some_and(|c| c.capability("logging").is_some());
            let link = match (&session.scope, server.session_link(session.version, session.id())) {
                (_, Some(link)) => Some(link),
                (Scope::One(_), None) if logs => server.link(&profile).await.ok(),
                _ => None,
            };
            if let Some(link) = link.filter(|_| logs) {
                tell(&link, level).await;
                session.level_told(link.server());
            }
        }
    }
    Ok(Sanitized::own(validated.message().id().unwrap_or("null"), "{}"))
}
