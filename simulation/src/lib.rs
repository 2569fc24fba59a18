//! The hub under a simulated network and clock: one seed is one world of servers, clients and faults, lived through in
//! virtual time, at whose end everything must add up.

mod book;
mod call;
mod chance;
mod client;
mod conversation;
mod life;
mod network;
mod plan;
mod server;
mod service;
mod wire;
mod world;

pub use life::{Lived, live};
