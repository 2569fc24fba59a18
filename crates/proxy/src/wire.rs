//! What lies under a link.

use crate::channel::Channel;
use crate::transports::HttpWire;

/// What lies under a link.
#[derive(Debug)]
pub(crate) enum Wire {
    /// One channel for all calls: pipes, a WebSocket, HTTP+SSE.
    Channel(Channel),
    /// Streamable HTTP: each call its own exchange.
    Http(HttpWire),
}

impl Wire {
    /// Ends the conversation.
    pub(crate) fn close(&self) {
        match self {
            Self::Channel(channel) => channel.close(),
            Self::Http(http) => http.close(),
        }
    }
}
