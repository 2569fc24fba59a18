//! The log, on standard error: standard output belongs to results and to MCP.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Compact, Format};

use crate::masked::MaskedStderr;
use crate::traced::Traced;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log at `level` (`error`, `warn`, `info`, `debug`, `trace`); `OMNI_LOG` overrides it with directives such as
/// `info,audit=debug`. Only the first call in a process has an effect.
pub fn start_log(level: &str, format: LogFormat) {
    let filter = match std::env::var("OMNI_LOG") {
        Ok(directives) => EnvFilter::try_new(directives),
        Err(_) => EnvFilter::try_new(level),
    }
    .unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| MaskedStderr);
    // What cannot be written would be told on standard error, too, by a macro that panics where that cannot be written: a full
    // disk under the log would end whatever had a line to say.
    let builder = builder.log_internal_errors(false);
    let started = match format {
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal();
            let traced = |format: Format<Compact>| Traced { format: format.with_ansi(ansi), is_json: false };
            builder.with_ansi(ansi).compact().map_event_format(traced).try_init()
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true);
            builder.map_event_format(|format| Traced { format, is_json: true }).try_init()
        }
    };
    // A second start in one process is a test's; the first one's log serves both.
    let _already_started = started;
}
