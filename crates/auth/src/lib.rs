//! The Auth module: who a call is from, and what they may do.

mod identify;
mod pattern;
mod policy;
pub mod settings;

pub use identify::local_user;
pub use pattern::{Pattern, PatternError};
pub use policy::{Access, Action, Decision, Policy};
