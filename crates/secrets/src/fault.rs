//! Why one provider has no value: what the chain of providers goes by.

/// Why one provider has no value. The texts follow the provider's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is kept there.
    Missing(String),
    /// Something is kept there that cannot be used.
    Unusable(String),
    /// It does not answer, or refuses.
    Unreachable(String),
}
