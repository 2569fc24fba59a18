//! What the writer asks of a file system, so that tests can let it fail.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};

/// What the writer asks of a file system while it writes records.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Writes all of `bytes` at the file's end.
    ///
    /// # Errors
    /// As the file system says; some of the bytes may be written then.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// As the file system says; nothing of what was written is durable for sure then, also if it is asked again.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Cuts the file.
    ///
    /// # Errors
    /// As the file system says.
    fn shorten(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {}
