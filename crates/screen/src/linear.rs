//! Regular expressions whose cost is bounded by the length of the text.

use regex::{Regex, RegexBuilder};

/// Bytes of a compiled pattern.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Compiles a pattern within bounds.
pub(crate) fn linear(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| format!("cannot be used: {}", error.to_string().lines().last().unwrap_or_default().trim()))
}
