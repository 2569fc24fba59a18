//! A secret's value: wiped when the last holder lets go, and shown by nothing that prints.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// Bytes of one value.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// A value that is wiped from memory when it is done with. It has no `Display`, and its `Debug` says nothing of it.
///
/// Built on `zeroize` alone: what `secrecy` would add is this type.
#[derive(Clone)]
pub struct Held(Arc<Zeroizing<String>>);

impl Held {
    /// Takes a value in; the text that is handed over is the one that is wiped.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Arc::new(Zeroizing::new(value)))
    }

    /// Takes a value in that is wiped already when it is done with.
    #[must_use]
    pub(crate) fn wiped(value: Zeroizing<String>) -> Self {
        Self(Arc::new(value))
    }

    /// Whether somebody else holds it, too.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The value. Whoever asks answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::Held;

    #[test]
    fn sec_5_a_value_is_not_shown() {
        let held = Held::new("hunter2".to_owned());
        assert!(!format!("{held:?} {held:#?}").contains("hunter"));
        assert_eq!(held.clone().expose(), "hunter2");
    }
}
