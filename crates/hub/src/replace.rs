//! Putting another configuration into force: every client hears that its lists may have changed.

use std::sync::Arc;

use omni_auth::Authenticator;
use omni_protocol::ListKind;

use crate::Hub;
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::subscribing::renew;

impl Hub {
    /// Puts a new configuration into force. Calls in flight end with the one they began with; subscriptions go on with the
    /// servers that took the places of others.
    ///
    /// With other logins too, nobody who was let in by the ones before is decided about by the policy that comes, and nobody who
    /// is let in by those that come by the policy before: first nobody stands any more (who is decided about has to, afterwards),
    /// then the policy is another, then somebody is let in again.
    pub fn replace(self: &Arc<Self>, snapshot: Snapshot, logins: Option<Authenticator>) {
        if let Some(logins) = &logins {
            logins.put_in_force();
        }
        self.put_in_force(snapshot);
        if let Some(logins) = logins {
            self.lets_in_by(logins);
        }
        let (sessions, listenings) = (self.sessions().all(), self.listenings().all());
        for session in &sessions {
            for kind in [ListKind::Tools, ListKind::Prompts, ListKind::Resources] {
                session.outbox.changed(kind);
            }
        }
        for listening in &listenings {
            listening.everything_changed();
            if self.is_gone(&listening.reader.scope) {
                listening.reader.outbox.end();
            }
        }
        if sessions.is_empty() && listenings.is_empty() {
            return;
        }
        let hub = Arc::clone(self);
        tokio::spawn(async move {
            for session in &sessions {
                renew(&hub, &session.subscriptions, &session.reader()).await;
            }
            for listening in &listenings {
                renew(&hub, &listening.subscriptions, &listening.reader).await;
            }
        });
    }

    /// Whether nothing is at that endpoint any more: its server or its profile was taken out of the configuration.
    fn is_gone(&self, scope: &Scope) -> bool {
        match scope {
            Scope::All => false,
            Scope::One(_) => self.servers(scope).is_empty(),
            Scope::Profile(name) => self.profile_scope(name.as_str()).is_none(),
        }
    }

    /// Ends what is open at endpoints that are gone, with the connections on which it is. Calls in flight end first: what they
    /// are answered is what their clients wait for.
    pub(crate) fn leave_gone_endpoints(&self) {
        for session in self.sessions().all() {
            if session.calls.is_empty() && self.is_gone(&session.scope) {
                tracing::info!(principal = %session.principal, "a session ends: its endpoint was removed");
                self.end_session(session.id());
            }
        }
        for listening in self.listenings().all().iter().filter(|listening| self.is_gone(&listening.reader.scope)) {
            listening.reader.outbox.end();
        }
    }
}
