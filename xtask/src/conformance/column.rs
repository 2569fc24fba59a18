//! The two columns of the document.

/// Where the suite's requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    /// To the fixture.
    Direct,
    /// To the hub in front of the fixture.
    Hub,
}

impl Column {
    /// Its name in the list of misses and in the results' folders.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Hub => "hub",
        }
    }
}
