//! The hub as a running thing: put together from its configuration, kept up to date with it, stopped in order.

mod assemble;
mod audit;
mod default;
mod given;
mod judge;
mod key;
mod masked;
mod memory;
mod profiles;
pub(crate) mod recorded;
mod reload;
pub(crate) mod secrets;
mod signals;

pub(crate) use crate::run::assemble::{Running, assemble, has_logins, policy, runtime, start_log};
pub(crate) use crate::run::audit::{LOGS_MAX as AUDIT_LOGS_MAX, elsewhere as audit_key, open as open_audit};
pub(crate) use crate::run::default::configuration;
pub(crate) use crate::run::profiles::library;
pub(crate) use crate::run::reload::follow;
pub(crate) use crate::run::signals::StopSignals;
