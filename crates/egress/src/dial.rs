//! How a connection comes about where it is not TCP: the door through which a simulated network takes the place of the real one.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

/// A connection of any kind.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection on its way.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Makes connections. It is asked once a connection, never for a request.
pub trait Dial: Debug + Send + Sync {
    /// Connects to `port` of `host`.
    fn dial(&self, host: &str, port: u16) -> Dialing;
}
