//! How a message came in.

use omni_audit::Transport;

/// How a message came in: what the transport requires of it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Streamable HTTP: headers mirror the body.
    Http,
    /// stdio: one client, one channel, no headers.
    Stdio,
    /// HTTP+SSE of 2024-11-05: as stdio.
    Sse,
    /// WebSocket: as stdio.
    WebSocket,
    /// A command of this program: as stdio.
    Command,
}

impl Channel {
    /// The word for it in the audit log.
    pub(crate) const fn transport(self) -> Transport {
        match self {
            Self::Http => Transport::Http,
            Self::Stdio => Transport::Stdio,
            Self::Sse => Transport::Sse,
            Self::WebSocket => Transport::WebSocket,
            Self::Command => Transport::Command,
        }
    }
}
