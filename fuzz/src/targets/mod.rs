//! One file a target.

pub(crate) mod audit_ask;
pub(crate) mod audit_note;
pub(crate) mod audit_proof;
pub(crate) mod audit_record;
pub(crate) mod audit_segment;
pub(crate) mod batch;
pub(crate) mod cursor;
pub(crate) mod dispatch;
pub(crate) mod envelope;
pub(crate) mod header;
pub(crate) mod jwks;
pub(crate) mod line;
pub(crate) mod list;
pub(crate) mod name;
pub(crate) mod policy;
pub(crate) mod profile;
pub(crate) mod reference;
pub(crate) mod scan;
pub(crate) mod schema;
pub(crate) mod screen;
pub(crate) mod sse;
pub(crate) mod state;
pub(crate) mod token;
pub(crate) mod translate;
pub(crate) mod uri;
pub(crate) mod websocket;
