//! The hub: the founding document's data flows, one file each, and the stages they are made of.

mod absent;
mod calls;
mod chance;
mod dispatch;
mod event_store;
mod events;
mod flow;
mod hub;
mod limits;
mod listening;
mod log_level;
mod outbox;
mod record;
mod reply;
mod rewrite;
mod scope;
mod seal;
mod session;
mod snapshot;
pub mod stage;
mod template;
mod view;

pub use calls::{Booked, Calls};
pub use chance::NoRandomness;
pub use dispatch::dispatch;
pub use event_store::{EventId, EventStore, Missed, Reader, StreamId};
pub use hub::{Hub, HubError};
pub use limits::Limits;
pub use listening::ListenStream;
pub use omni_proxy::{ServerState, ServerStatus};
pub use outbox::Outbox;
pub use reply::Reply;
pub use scope::Scope;
pub use seal::Seal;
pub use session::{Session, Sessions};
pub use snapshot::Snapshot;
