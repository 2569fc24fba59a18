//! What can be found in a text.

use std::ops::Range;

/// A kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The number of a payment card.
    Card,
    /// The number of a bank account.
    Iban,
    /// An address of e-mail.
    Email,
    /// A key whose shape says whose it is.
    Key,
    /// Something that is called a secret and looks like chance.
    Unknown,
}

impl Kind {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card number",
            Self::Iban => "bank account",
            Self::Email => "e-mail address",
            Self::Key => "key",
            Self::Unknown => "secret",
        }
    }
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub range: Range<usize>,
    /// What.
    pub kind: Kind,
    /// Whose, or of which kind: `GitHub token`.
    pub label: &'static str,
}

impl Finding {
    /// What stands in its place.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        match self.kind {
            // Of a card the last four digits may be shown (PCI DSS 3.4.1).
            Kind::Card => {
                let digits: Vec<char> = text[self.range.clone()].chars().filter(char::is_ascii_digit).collect();
                let last: String = digits[digits.len().saturating_sub(4)..].iter().collect();
                format!("[card number ending {last}]")
            }
            _ => format!("[{} masked]", self.label),
        }
    }
}
