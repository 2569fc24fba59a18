//! The API Gateway: how clients reach the hub.

pub mod settings;
