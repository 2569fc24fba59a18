//! The last lines that a server wrote to its standard error, kept to explain why it failed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Lines kept.
const LINES_MAX: usize = 20;
/// Bytes of a line kept.
const LINE_BYTES_MAX: usize = 500;

/// A short memory of lines.
#[derive(Debug, Default)]
pub(crate) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    /// Remembers `line`.
    pub(crate) fn push(&self, line: &str) {
        let mut kept = line.to_owned();
        if kept.len() > LINE_BYTES_MAX {
            let cut = (0..=LINE_BYTES_MAX).rev().find(|at| kept.is_char_boundary(*at)).unwrap_or(0);
            kept.truncate(cut);
            kept.push('…');
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(kept);
    }

    /// The last line that says something.
    pub(crate) fn last(&self) -> Option<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().rev().find(|l| !l.trim().is_empty()).cloned()
    }
}
