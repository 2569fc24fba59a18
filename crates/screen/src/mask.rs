//! Secrets that are known by their values: whoever keeps them tells where they stand in a text.

use std::ops::Range;

/// Knows secrets by their values. The Secret Manager is one.
pub trait Mask: Send + Sync + std::fmt::Debug {
    /// Whether the bytes of a JSON text could hold one, as it is or as JSON escapes it: `false` is sure. Called for every
    /// message, so it must be quick.
    fn might_hold(&self, json: &[u8]) -> bool;

    /// Adds where secrets stand in `text`, and under which name each is known.
    fn find(&self, text: &str, found: &mut Vec<(Range<usize>, String)>);
}

/// Knows none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMask;

impl Mask for NoMask {
    fn might_hold(&self, _: &[u8]) -> bool {
        false
    }

    fn find(&self, _: &str, _: &mut Vec<(Range<usize>, String)>) {}
}
