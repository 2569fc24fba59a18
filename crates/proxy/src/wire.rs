//! The channel under a link.

use crate::transports::{HttpWire, StdioWire};

/// The channel under a link.
#[derive(Debug)]
pub(crate) enum Wire {
    Stdio(StdioWire),
    Http(HttpWire),
}
