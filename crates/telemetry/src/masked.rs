//! Standard error as the log writes to it: a line at a time, without what must not be written.

use std::io::{self, Write};
use std::sync::OnceLock;

/// What makes a line fit to be written; `None` where it is already.
type Mask = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

static MASK: OnceLock<Mask> = OnceLock::new();

/// From now on each line of the log is written as `mask` makes it. Only the first call in a process has an effect.
pub fn mask_log(mask: impl Fn(&str) -> Option<String> + Send + Sync + 'static) {
    // A second hub in one process is a test's.
    let _already_masked = MASK.set(Box::new(mask));
}

/// From now on what a thread that panics says is written as the log is: its message may hold what a text held.
pub fn mask_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let trace = std::backtrace::Backtrace::capture();
        let mut told = format!("thread '{name}' {panic}\n");
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            told.push_str(&format!("{trace}\n"));
        }
        // Whoever cannot even write that is past being told.
        let _best_effort = MaskedStderr.write(told.as_bytes());
    }));
}

/// Standard error behind the mask. The log writes an event whole, so no value is cut in two.
#[derive(Debug)]
pub(crate) struct MaskedStderr;

impl Write for MaskedStderr {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let masked = MASK.get().and_then(|mask| mask(&String::from_utf8_lossy(event)));
        io::stderr().write_all(masked.as_deref().map_or(event, str::as_bytes))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
