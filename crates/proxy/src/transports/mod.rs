//! The ways to reach a server, one file each.

mod bounds;
mod http;
mod stdio;

pub(crate) use http::{HttpAnswer, HttpMessages, HttpWire};
pub(crate) use stdio::{StdioCall, StdioWire};
