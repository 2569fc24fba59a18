//! What came in, untouched.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use omni_auth::Identified;

use crate::calls::Calls;
use crate::channel::Channel;
use crate::scope::Scope;
use crate::session::Session;

/// Headers that mirror the body, or that a server has to see.
#[derive(Debug, Clone, Default)]
pub struct ClientHeaders {
    /// `MCP-Protocol-Version`
    pub version: Option<String>,
    /// `Mcp-Method`
    pub method: Option<String>,
    /// `Mcp-Name`, decoded; `Some(None)` when it could not be.
    pub name: Option<Option<String>>,
    /// `Mcp-Param-*` and trace context.
    pub forwarded: Vec<(HeaderName, HeaderValue)>,
}

/// A message as it came in. Anybody may make one: nothing is claimed of it, but of who sent it, which the Auth module alone
/// can say. (Where a transport shows who speaks before the message, its bytes are not read for a stranger.)
#[derive(Debug)]
pub struct Received {
    /// The body.
    pub body: Bytes,
    /// The servers that the endpoint shows.
    pub scope: Scope,
    /// How it came in.
    pub channel: Channel,
    /// Who sent it.
    pub sender: Identified,
    /// The session it names, if there is one of that name.
    pub session: Option<Arc<Session>>,
    /// Where its call is booked, so that it can be cancelled.
    pub calls: Option<Arc<Calls>>,
    /// Headers.
    pub headers: ClientHeaders,
}
