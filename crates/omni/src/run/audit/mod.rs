//! The audit log of a hub that runs: opened in the data directory, sent on from there, closed at the end.

mod forward;
mod keep;
mod keys;
mod open;
mod otlp;
mod post;
mod senders;
mod sending;
mod shown;
mod spool;
mod syslog;
mod witness;

pub(crate) use keys::elsewhere;
pub(crate) use open::{AuditLog, LOGS_MAX, open, witness};
