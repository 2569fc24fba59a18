//! The record of one call: opened and closed by the dispatcher, so that every end of a call is written once.

use std::time::Instant;

use omni_protocol::Method;
use omni_types::{Fault, Principal, ServerName};

use crate::stage::{Authenticated, Authorized};

/// What is known of one call. The audit log will keep it; today it is a line of the log.
#[derive(Debug)]
pub(crate) struct CallRecord {
    began: Instant,
    method: Option<Method>,
    principal: Option<Principal>,
    server: Option<ServerName>,
    item: Option<String>,
    closed: bool,
}

impl CallRecord {
    /// Opens the record.
    pub(crate) fn open() -> Self {
        Self { began: Instant::now(), method: None, principal: None, server: None, item: None, closed: false }
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
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (server, item) =
            (self.server.as_ref().map(ServerName::as_str).unwrap_or("-"), self.item.as_deref().unwrap_or("-"));
        let method = self.method.as_ref().map_or("", Method::as_str);
        match fault {
            None => tracing::debug!(target: "call", method, server, item, micros, "ok"),
            Some(fault) => {
                let principal = self.principal.as_ref().map(ToString::to_string).unwrap_or_default();
                tracing::info!(target: "call", method, server, item, micros, principal, %fault, "failed");
            }
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        // A dropped connection or a panic ends a call without an outcome of its own.
        if !self.closed {
            self.close(Some(&Fault::new(omni_types::FaultKind::Cancelled, "the call was let go")));
        }
    }
}
