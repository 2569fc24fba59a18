//! The hub under a simulated network and clock: one seed is one world of servers, clients and faults, lived through in
//! virtual time, at whose end everything must add up.

mod asked;
mod book;
mod call;
mod caller;
mod chance;
mod client;
mod conversation;
mod life;
mod lives;
mod network;
mod plan;
mod planted;
mod question;
mod server;
mod service;
mod wire;
mod work;
mod world;

pub use life::{Lived, live};
pub use planted::Planted;
