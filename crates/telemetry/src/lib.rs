//! What is measured and written down for the operator; today the log.

mod log;

pub use log::{LogFormat, start_log};
