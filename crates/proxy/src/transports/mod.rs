//! The ways to reach a server, one file each.

mod bounds;
mod http;
pub(crate) mod stdio;

pub(crate) use http::{HttpAnswer, HttpMessages, HttpWire};
