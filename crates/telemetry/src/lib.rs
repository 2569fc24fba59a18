//! What is measured and written down for the operator; today the log, and the trace that its lines belong to.

mod log;
mod masked;
mod trace;
mod traced;

pub use log::{LogFormat, start_log};
pub use masked::{mask_log, mask_panics};
pub use trace::{TraceId, current as current_trace, in_trace, within as within_trace};
