//! The HTTP listener: own accept loop, deadlines that fire, graceful drain.

mod body;
mod channels;
mod connection;
mod door;
mod endpoint;
mod gateway;
mod incoming;
mod reply;
mod shared;
mod sse;

pub use gateway::{Gateway, GatewayError};
pub use shared::GatewayLimits;
