//! Why a request did not get out, or its answer not in.

/// A failure on the way to a server or back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The address is no URL with a host, or of a kind that is not spoken.
    #[error("`{0}` is no http://, https://, ws:// or wss:// address with a host")]
    Address(String),
    /// A server named another one as its own.
    #[error("`{reference}` leads away from {authority}: only the server's own origin is followed")]
    OtherOrigin {
        /// What it named.
        reference: String,
        /// Where it is.
        authority: String,
    },
    /// The host's name leads nowhere.
    #[error("the name of `{host}` does not resolve: {why}")]
    Resolve {
        /// Host.
        host: String,
        /// The resolver's word.
        why: String,
    },
    /// No connection came about.
    #[error("cannot connect to {authority}: {why}")]
    Connect {
        /// Host and port.
        authority: String,
        /// The system's word.
        why: String,
    },
    /// TLS failed.
    #[error("TLS with {authority} failed: {why}")]
    Tls {
        /// Host and port.
        authority: String,
        /// What failed.
        why: String,
    },
    /// It did not open a WebSocket.
    #[error("{authority} opens no WebSocket: {why}")]
    WebSocket {
        /// Host and port.
        authority: String,
        /// What it did instead.
        why: String,
    },
    /// No connection came about in time.
    #[error("no connection to {authority} came about within {seconds} s")]
    ConnectTimeout {
        /// Host and port.
        authority: String,
        /// The bound.
        seconds: u64,
    },
    /// The pool had no connection free in time: its bound is the hub's own, and says nothing of the server.
    #[error("all {max} connections to {authority} are in use, and none came free within {seconds} s (`pool.max`)")]
    PoolFull {
        /// Host and port.
        authority: String,
        /// How long it was waited for.
        seconds: u64,
        /// The bound of the pool.
        max: usize,
    },
    /// The connection broke before the request was sent whole: it may be sent again.
    #[error("the connection to {0} closed before the request was sent")]
    NotSent(String),
    /// The connection broke while the answer was awaited or read.
    #[error("the connection to {authority} broke: {why}")]
    Broken {
        /// Host and port.
        authority: String,
        /// What broke.
        why: String,
    },
    /// The answer's body is larger than the bound.
    #[error("an answer of more than {max} bytes")]
    BodyTooLarge {
        /// The bound in bytes.
        max: usize,
    },
}
