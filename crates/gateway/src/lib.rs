//! The API Gateway: how clients reach the hub.

mod batch;
mod conversation;
mod fault;
mod health;
pub mod http;
pub mod settings;
mod speech;
pub mod stdio;

pub use http::{Gateway, GatewayError, GatewayLimits};
