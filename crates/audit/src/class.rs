//! Data classes: what kind of knowledge a field of an event holds, and so how it is kept.

/// The class of a field. It decides under which key the field is kept, and what erasing a person takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// May be known to anybody.
    Public,
    /// Of the hub and its operator; tells nothing of a person.
    Internal,
    /// Concerns the person on whose account the event stands: kept under that person's own key, erased with it.
    Personal,
    /// Never written down at all. Such fields stand in the schema so that nobody adds them by mistake.
    SecretNever,
}

impl Class {
    /// The class's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Personal => "personal",
            Self::SecretNever => "secret-never",
        }
    }
}
