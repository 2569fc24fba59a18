//! When the hub is asked to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Handlers of the signals that ask the process to stop: Ctrl-C and SIGTERM.
///
/// Installed before the hub says that it listens: whoever reads that may ask it to stop at once.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// A file at its size limit (`RLIMIT_FSIZE`) is a write that fails, and no end of the hub.
    _file_size: Signal,
}

impl StopSignals {
    /// Installs the handlers.
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// Returns when the process is asked to stop.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
