//! The API Gateway: how clients reach the hub.

mod fault;
mod health;
pub mod http;
pub mod settings;
pub mod stdio;

pub use http::{Gateway, GatewayError, GatewayLimits};
