//! Files of a configuration, read within bounds.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::config::error::Problem;

/// Largest file read.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// The text of a file of bounded size.
pub(crate) fn read_file(path: &Path) -> Result<String, Problem> {
    let cannot = |error: std::io::Error| Problem::whole(format!("cannot be read: {error}"));
    let file = File::open(path).map_err(cannot)?;
    if file.metadata().map_err(cannot)?.is_dir() {
        return Err(Problem::whole("is a directory; name the file"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Problem::whole(format!("is larger than {FILE_BYTES_MAX} bytes; a configuration is not")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        Problem::whole(format!("is not UTF-8 text (line {line}); save it as UTF-8"))
    })
}
