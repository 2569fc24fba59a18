//! The trace id of what is being done: one across log lines, the audit log and the requests to servers (row DIAG-3).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use omni_types::keyed_digest;

/// Hexadecimal digits of a trace id, and of a parent id (W3C Trace Context, section 3.2.2).
const TRACE_DIGITS: usize = 32;
const PARENT_DIGITS: usize = 16;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A W3C trace id. Not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// One that nobody else has: 128 bits under keys that this process drew.
    #[must_use]
    pub fn fresh() -> Self {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        Self(keyed_digest(&COUNTER.fetch_add(1, Ordering::Relaxed)).max(1))
    }

    /// The one that a `traceparent` names.
    #[must_use]
    pub fn of_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, digits| {
            text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_whole = version != "00" || parts.next().is_none();
        if !hex(version, 2) || version == "ff" || !hex(parent, PARENT_DIGITS) || !hex(flags, 2) || !is_whole {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|_| hex(trace, TRACE_DIGITS))?;
        (trace != 0 && parent.bytes().any(|byte| byte != b'0')).then_some(Self(trace))
    }

    /// The `traceparent` of a request that belongs to it: a fresh parent id, and nothing said of sampling.
    #[must_use]
    pub fn traceparent(self) -> String {
        let parent = (Self::fresh().0 as u64).max(1);
        let mut text = String::with_capacity(2 + 1 + TRACE_DIGITS + 1 + PARENT_DIGITS + 3);
        text.push_str("00-");
        push_hex(&mut text, &self.0.to_be_bytes());
        text.push('-');
        push_hex(&mut text, &parent.to_be_bytes());
        text.push_str("-00");
        text
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

/// Every call has one: the machinery of `format!` would cost ten times as much.
fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

tokio::task_local! {
    static CURRENT: TraceId;
}

/// Does `work` as a part of `trace`: lines that it writes to the log name it.
pub fn within<F: Future>(trace: TraceId, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(trace, work)
}

/// The same for what does not wait.
pub fn in_trace<T>(trace: TraceId, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(trace, work)
}

/// What the running task does is a part of this.
#[must_use]
pub fn current() -> Option<TraceId> {
    CURRENT.try_with(|trace| *trace).ok()
}

#[cfg(test)]
mod tests {
    use super::{TraceId, current, within};

    #[test]
    fn diag_3_a_traceparent_is_read_and_anything_else_is_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = TraceId::of_traceparent(good);
        assert_eq!(trace.map(|t| t.to_string()).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert!(TraceId::of_traceparent(&good.replacen("00", "cc", 1)).is_some(), "of a later version");
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(TraceId::of_traceparent(bad), None, "{bad}");
        }
    }

    #[test]
    fn diag_3_what_the_hub_says_upstream_is_read_as_it_was_meant() {
        let trace = TraceId::fresh();
        assert_ne!(trace, TraceId::fresh());
        assert_eq!(TraceId::of_traceparent(&trace.traceparent()), Some(trace));
    }

    #[tokio::test]
    async fn diag_3_work_knows_the_trace_it_is_a_part_of() {
        let trace = TraceId::fresh();
        assert_eq!(within(trace, async { current() }).await, Some(trace));
        assert_eq!(current(), None);
    }
}
