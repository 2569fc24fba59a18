//! The MCP Proxy: connections, processes and catalogs of the servers behind the hub.

mod back_off;
mod catalog;
mod connecting;
mod error;
mod event;
mod exchange;
mod fetch;
mod handshake;
mod hello;
mod inbox;
mod link;
mod outgoing;
pub mod process;
mod profile;
mod refresh;
mod server;
pub mod settings;
mod slots;
mod spec;
mod status;
mod store;
mod transports;
mod watch;
mod wire;

pub use catalog::{Catalog, CatalogState, Item};
pub use error::LinkError;
pub use event::Event;
pub use exchange::{Exchange, Messages};
pub use hello::Hello;
pub use link::Link;
pub use outgoing::Outgoing;
pub use profile::{LinkKey, Profile, SessionProfile};
pub use server::Server;
pub use spec::{ServerSpec, SpecError, Transport};
pub use status::{ServerState, ServerStatus};
pub use store::CatalogStore;
