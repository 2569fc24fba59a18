//! Lines of the log with the trace id of what is being done.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::trace::current;

/// A format, with the trace id in its lines.
pub(crate) struct Traced<F> {
    pub(crate) format: F,
    pub(crate) is_json: bool,
}

impl<S, N, F> FormatEvent<S, N> for Traced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(trace) = current() else { return self.format.format_event(ctx, writer, event) };
        let mut line = String::new();
        self.format.format_event(ctx, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        match line.strip_suffix('}').filter(|_| self.is_json) {
            Some(open) => writeln!(writer, r#"{open},"trace_id":"{trace}"}}"#),
            None => writeln!(writer, "{line} trace_id={trace}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::Traced;
    use crate::trace::{TraceId, within};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn diag_3_lines_within_a_call_name_its_trace_in_both_formats() {
        let trace = TraceId::fresh();
        for json in [false, true] {
            let kept = Kept::default();
            let writer = kept.clone();
            let builder = tracing_subscriber::fmt().with_writer(move || writer.clone());
            let subscriber: Box<dyn tracing::Subscriber + Send + Sync> = if json {
                let builder = builder.json().flatten_event(true);
                Box::new(builder.map_event_format(|format| Traced { format, is_json: true }).finish())
            } else {
                Box::new(builder.compact().map_event_format(|format| Traced { format, is_json: false }).finish())
            };
            let guard = tracing::subscriber::set_default(subscriber);
            tracing::info!("outside");
            within(trace, async { tracing::warn!(server = "git", "inside") }).await;
            drop(guard);
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 2, "{text}");
            assert!(!lines[0].contains("trace_id"), "{text}");
            let wanted = if json {
                format!(r#""trace_id":"{trace}"}}"#)
            } else {
                format!("inside server=\"git\" trace_id={trace}")
            };
            assert!(lines[1].ends_with(&wanted), "{text}");
            assert_eq!(lines.iter().all(|line| line.starts_with('{')), json);
        }
    }
}
