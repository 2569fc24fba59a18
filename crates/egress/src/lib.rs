//! The one door out: HTTP connections to servers, pooled, bounded and with deadlines.

mod body;
mod connect;
mod dial;
mod error;
mod fetch;
mod guard;
mod http1;
mod lease;
mod own_tls;
mod pool;
mod request;
mod stream;
mod target;
mod websocket;

pub use body::{Body, collect};
pub use connect::{Channel, channel};
pub use dial::{Dial, Dialing, Io};
pub use error::EgressError;
pub use fetch::{Fetched, Fetcher};
pub use guard::is_public;
pub use lease::PoolLimits;
pub use own_tls::OwnTls;
pub use pool::{Client, PoolStatus};
pub use request::RequestHead;
pub use target::Target;
pub use websocket::{WebSocketReader, WebSocketWriter, websocket};
