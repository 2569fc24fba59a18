//! The columns of the document: which way the suite's requests go.

use std::fmt;

/// The two halves of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leg {
    /// The suite is the client, and the hub is looked at as a server.
    Server,
    /// The suite is the server, and the hub is looked at as its client.
    Client,
}

impl Leg {
    /// Its name in the suite's files and folders.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// The columns of its tables.
    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Server => &[Column::Direct, Column::Hub, Column::Aggregate, Column::Cross],
            Self::Client => &[Column::SameEra, Column::OtherEra],
        }
    }
}

/// A way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    /// To the fixture.
    Direct,
    /// To the hub's endpoint of the one server, the fixture.
    Hub,
    /// To the hub's endpoint of all servers, of which there are two.
    Aggregate,
    /// To the hub in front of a fixture that speaks only the other era.
    Cross,
    /// From a client of the revision under test, through the hub, to the suite's server.
    SameEra,
    /// From a client of the other era, through the hub, to the suite's server.
    OtherEra,
}

impl Column {
    /// All of them.
    pub(super) const ALL: [Self; 6] =
        [Self::Direct, Self::Hub, Self::Aggregate, Self::Cross, Self::SameEra, Self::OtherEra];

    /// Its name in the list of misses, on the command line and in the results' folders.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Hub => "hub",
            Self::Aggregate => "aggregate",
            Self::Cross => "cross",
            Self::SameEra => "same-era",
            Self::OtherEra => "other-era",
        }
    }

    /// The half of the suite that it belongs to.
    pub(super) fn leg(self) -> Leg {
        match self {
            Self::Direct | Self::Hub | Self::Aggregate | Self::Cross => Leg::Server,
            Self::SameEra | Self::OtherEra => Leg::Client,
        }
    }

    /// Whether a section of `revision` has this column.
    pub(super) fn is_of(self, revision: &str) -> bool {
        // The older revisions differ from 2025-11-25 in nothing that the other ways would show.
        matches!(self, Self::Direct | Self::Hub) || matches!(revision, "2025-11-25" | "2026-07-28")
    }

    /// The head of the column.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Direct => "fixture directly",
            Self::Hub => "`/mcp/{server}`",
            Self::Aggregate => "`/mcp`",
            Self::Cross => "across eras",
            Self::SameEra => "client of the same era",
            Self::OtherEra => "client of the other era",
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
