//! The record of one call: opened and closed by the dispatcher, so that every end of a call is written once.

use std::time::Instant;

use omni_audit::{Audit, Event, EventKind, Outcome, Who};
use omni_protocol::Method;
use omni_types::{Fault, FaultKind, Principal, ServerName};

use crate::stage::{Authenticated, Authorized};

/// What is known of one call (row TOOL-6).
#[derive(Debug)]
pub(crate) struct CallRecord {
    audit: Audit,
    began: Instant,
    method: Option<Method>,
    principal: Option<Principal>,
    server: Option<ServerName>,
    item: Option<String>,
    closed: bool,
}

impl CallRecord {
    /// Opens the record.
    pub(crate) fn open(audit: &Audit) -> Self {
        Self {
            audit: audit.clone(),
            began: Instant::now(),
            method: None,
            principal: None,
            server: None,
            item: None,
            closed: false,
        }
    }

    pub(crate) fn method(&mut self, method: &Method) {
        self.method = Some(method.clone());
    }

    /// Writes down whose call it is.
    pub(crate) fn who(&mut self, authenticated: Authenticated) -> Authenticated {
        self.principal = Some(authenticated.principal().clone());
        authenticated
    }

    /// Writes down what it is about.
    pub(crate) fn what(&mut self, authorized: Authorized) -> Authorized {
        if let Some(found) = authorized.found() {
            self.server = Some(found.server.name().clone());
            self.item = Some(found.name.clone());
        }
        authorized
    }

    /// Closes the record with the call's outcome.
    pub(crate) fn close(&mut self, fault: Option<&Fault>) {
        self.closed = true;
        let outcome = match fault.map(Fault::kind) {
            None => Outcome::Success,
            Some(FaultKind::Denied | FaultKind::InsufficientScope | FaultKind::Unauthenticated) => Outcome::Denied,
            Some(_) => Outcome::Failed,
        };
        if !self.audit.keeps(EventKind::Call, outcome) {
            return;
        }
        let mut event = Event::new(EventKind::Call, self.method.as_ref().map_or("", Method::as_str), outcome);
        event.duration = Some(self.began.elapsed());
        event.reason = fault.map(ToString::to_string);
        if let Some(item) = self.item.take() {
            event = event.on(self.server.as_ref().map(ServerName::as_str), item);
        }
        self.audit.record(self.principal.as_ref().map_or(Who::Anonymous, Who::from), event);
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        // A dropped connection or a panic ends a call without an outcome of its own.
        if !self.closed {
            self.close(Some(&Fault::new(FaultKind::Cancelled, "the call was let go")));
        }
    }
}
