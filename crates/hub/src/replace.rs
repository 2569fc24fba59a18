//! Putting another configuration into force: every client hears that its lists may have changed.

use std::sync::Arc;

use omni_protocol::ListKind;

use crate::Hub;
use crate::snapshot::Snapshot;
use crate::subscribing::renew;

impl Hub {
    /// Puts a new configuration into force. Calls in flight end with the one they began with; subscriptions go on with the
    /// servers that took the places of others.
    pub fn replace(self: &Arc<Self>, snapshot: Snapshot) {
        self.put_in_force(snapshot);
        let (sessions, listenings) = (self.sessions().all(), self.listenings().all());
        for session in &sessions {
            for kind in [ListKind::Tools, ListKind::Prompts, ListKind::Resources] {
                session.outbox.changed(kind);
            }
        }
        for listening in &listenings {
            listening.everything_changed();
            if listening.reader.scope.is_one() && self.servers(&listening.reader.scope).is_empty() {
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
}
