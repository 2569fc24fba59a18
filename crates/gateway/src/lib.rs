//! The API Gateway: how clients reach the hub.

pub mod admin;
mod batch;
mod conversation;
mod fault;
mod health;
pub mod http;
pub mod settings;
mod speech;
pub mod stdio;
pub mod tls;

pub use http::{Gateway, GatewayError, GatewayLimits};
