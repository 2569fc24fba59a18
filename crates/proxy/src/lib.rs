//! The MCP Proxy: connections, processes and catalogs of the servers behind the hub.

mod back_off;
mod catalog;
mod error;
mod event;
mod exchange;
mod fetch;
mod handshake;
mod inbox;
mod link;
pub mod process;
mod server;
pub mod settings;
mod spec;
mod status;
mod store;
mod transports;
mod watch;

pub use catalog::{Catalog, CatalogState, Item};
pub use error::LinkError;
pub use event::Event;
pub use exchange::{Exchange, Messages, Outgoing};
pub use link::{Link, LinkKey, Profile, SessionProfile};
pub use server::Server;
pub use spec::{ServerSpec, SpecError, Transport};
pub use status::{ServerState, ServerStatus};
pub use store::CatalogStore;
