//! The ways to reach a server, one file each.

mod http;
mod stdio;

pub(crate) use http::{HttpAnswer, HttpMessages, HttpWire};
pub(crate) use stdio::{StdioCall, StdioWire};

/// Bytes of one message from a server.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
