//! The HTTP listener: own accept loop, deadlines that fire, graceful drain.

mod body;
mod connection;
mod door;
mod endpoint;
mod gateway;
mod reply;
mod shared;

pub use gateway::{Gateway, GatewayError};
pub use shared::GatewayLimits;
