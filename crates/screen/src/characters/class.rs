//! The kinds of dangerous characters, and what is done about each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of dangerous character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// U+0000, at which programs in C stop reading.
    Nul,
    /// Control characters other than tab, line feed, carriage return and form feed; terminal escapes as a whole.
    Control,
    /// Overrides of the direction of text, and embeddings and isolates that are not closed in their paragraph.
    Bidi,
    /// Characters that show nothing, where no script needs them.
    ZeroWidth,
    /// Tag characters and runs of variation selectors outside of flags and of what they vary: hidden text.
    Hidden,
}

impl Class {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nul => "a NUL character",
            Self::Control => "a control character or terminal escape",
            Self::Bidi => "a character that turns the direction of text around",
            Self::ZeroWidth => "a character of no width",
            Self::Hidden => "hidden tag characters",
        }
    }

    /// The key of its rule.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Nul => "nul",
            Self::Control => "control",
            Self::Bidi => "bidi",
            Self::ZeroWidth => "zero_width",
            Self::Hidden => "hidden",
        }
    }
}

/// What is done about a kind of dangerous character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Nothing.
    Pass,
    /// The message is refused.
    Reject,
    /// It is taken out.
    Strip,
    /// Something that can be seen is put in its place.
    Mark,
}

/// What is done about each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CharacterRules {
    /// U+0000.
    pub nul: Action,
    /// Control characters and terminal escapes.
    pub control: Action,
    /// Direction of text.
    pub bidi: Action,
    /// Characters of no width.
    pub zero_width: Action,
    /// Hidden text.
    pub hidden: Action,
}

impl CharacterRules {
    /// The same for all kinds.
    #[must_use]
    pub const fn all(action: Action) -> Self {
        Self { nul: action, control: action, bidi: action, zero_width: action, hidden: action }
    }

    /// What is done about `class`.
    #[must_use]
    pub const fn of(&self, class: Class) -> Action {
        match class {
            Class::Nul => self.nul,
            Class::Control => self.control,
            Class::Bidi => self.bidi,
            Class::ZeroWidth => self.zero_width,
            Class::Hidden => self.hidden,
        }
    }

    /// Whether nothing is done about any.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self == Self::all(Action::Pass)
    }
}
