//! Why one provider has no value: what the chain of providers goes by.

use crate::redact::Redactor;

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

impl Fault {
    /// The same without a value that is known.
    pub(crate) fn masked(self, redactor: &Redactor) -> Self {
        let mask = |why: String| redactor.masked(&why).unwrap_or(why);
        match self {
            Self::Missing(why) => Self::Missing(mask(why)),
            Self::Unusable(why) => Self::Unusable(mask(why)),
            Self::Unreachable(why) => Self::Unreachable(mask(why)),
        }
    }
}
