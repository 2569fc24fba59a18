//! The HTTP listener: own accept loop, deadlines that fire, graceful drain.

mod admin;
mod body;
mod challenged;
mod channels;
mod connection;
mod door;
mod endpoint;
mod gateway;
mod guest;
mod held;
mod http1;
mod incoming;
mod login;
mod pace;
mod reply;
mod resumable;
mod shared;
mod sse;
mod streams;
mod turns;
pub mod websocket;
mod witness;

pub use gateway::{Gateway, GatewayError};
pub use shared::GatewayLimits;
