//! Bounds that hold for every transport.

/// Bytes of one message from a server.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
