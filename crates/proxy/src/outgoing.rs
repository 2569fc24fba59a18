//! A request on its way to a server.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use omni_protocol::Method;

/// A request ready to be sent: its id is the link's, everything else the client's.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The whole message.
    pub body: Bytes,
    /// Its id, from [`crate::Link::next_id`].
    pub id: u64,
    /// Its method, for the `Mcp-Method` header.
    pub method: Method,
    /// The name or URI called, for the `Mcp-Name` header.
    pub name: Option<String>,
    /// Headers of the client that a server of 2026-07-28 has to see (`Mcp-Param-*`, trace context).
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The client's own progress token, where the message carries the link's id in its place.
    pub progress_token: Option<String>,
}
