//! The ways to reach a server, one file each.

mod bounds;
mod events;
mod http;
mod lost_session;
mod messages;
mod resumption;
pub(crate) mod sse;
pub(crate) mod stdio;
mod streams;
pub(crate) mod websocket;

pub(crate) use http::{HttpAnswer, HttpWire};
pub(crate) use messages::HttpMessages;
