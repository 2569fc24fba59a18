//! What goes wrong with references and the values behind them; no message holds a value.

/// A text whose references cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct TemplateError {
    /// The byte of the text at which it goes wrong.
    pub at: usize,
    /// What is wrong and what to write instead.
    pub why: String,
}

impl TemplateError {
    /// Line and column in `text`, both from 1; the column counts characters.
    #[must_use]
    pub fn line_column(&self, text: &str) -> (usize, usize) {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// A secret that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing is kept under that name; a default may stand in.
    #[error("{reference}: {why}")]
    Missing {
        /// The reference, as it is written.
        reference: String,
        /// Where it was looked for, and what to do.
        why: String,
    },
    /// Whoever asks may not have it.
    #[error("{reference} is not granted to {requester}: {why}")]
    NotGranted {
        /// The reference, as it is written.
        reference: String,
        /// Who asked.
        requester: String,
        /// What would have to be said where.
        why: String,
    },
    /// Something is kept there that cannot be used.
    #[error("{reference}: {why}")]
    Unusable {
        /// The reference, as it is written.
        reference: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// Who keeps it does not answer, or refuses.
    #[error("{reference}: {provider} {why}")]
    Unreachable {
        /// The reference, as it is written.
        reference: String,
        /// Which provider.
        provider: &'static str,
        /// Why.
        why: String,
    },
}

impl SecretError {
    /// One word for audit, metrics and programs.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::NotGranted { .. } => "not-granted",
            Self::Unusable { .. } => "unusable",
            Self::Unreachable { .. } => "unreachable",
        }
    }
}
