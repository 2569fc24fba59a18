//! Bounds that several of the Filesystem tools share.

/// The largest file that is read or written whole, in bytes.
pub(crate) const READ_BYTES_MAX: u64 = 10 * 1024 * 1024;
