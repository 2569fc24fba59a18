//! The Audit Logger: what everybody who lets something happen, or refuses it, writes it down with.
//!
//! This is its interface. What is written goes to the hub's log today (target `audit`); a log of its own, that lasts and
//! can be checked, stands behind the same interface later.

mod audit;
mod event;
pub mod index;
mod log;
pub mod query;
mod sink;
mod who;

pub use audit::Audit;
pub use event::{Event, EventKind, Outcome, Resource};
pub use sink::Sink;
pub use who::Who;
