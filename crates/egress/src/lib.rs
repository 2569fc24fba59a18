//! The one door out: HTTP connections to servers, pooled, bounded and with deadlines.

mod body;
mod connect;
mod error;
mod pool;
mod target;

pub use body::{Body, collect};
pub use error::EgressError;
pub use pool::{Client, PoolLimits, PoolStatus};
pub use target::Target;
