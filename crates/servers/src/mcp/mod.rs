//! A small MCP server over newline-delimited JSON: what the built-in servers share, and nothing of what they do.
//!
//! Both eras of the protocol are served on one stream. A request that carries `_meta` of 2026-07-28 is answered by
//! itself; `initialize` opens a session of the older revisions. Change notifications are never sent, because what
//! these servers offer is fixed when they start; a subscription is accepted with nothing in it.

pub(crate) mod calendar;
pub(crate) mod cancel;
pub(crate) mod failure;
pub(crate) mod frame;
pub(crate) mod glob;
pub(crate) mod message;
pub(crate) mod serve;
pub(crate) mod server;
pub(crate) mod tool;
pub(crate) mod version;
