//! The table of arrows as data: which floor of the house may use which, and why.

/// What one package may use of the others.
#[derive(Debug)]
pub struct Row {
    /// The package.
    pub package: &'static str,
    /// The packages of this workspace it may use in its normal and build dependencies and in its sources.
    pub may_use: &'static [&'static str],
    /// Wings have no door between them, not even in tests.
    pub wing: bool,
    /// Why the row is as it is.
    pub reason: &'static str,
}

/// Stands in [`Row::may_use`] for every package.
pub(crate) const EVERYTHING: &str = "*";

/// One row a package. A new crate gets its row here in the commit that creates it (the full plan, also for crates
/// that don't exist yet, is the table in `docs/ARCHITECTURE.md`).
pub const TABLE: &[Row] = &[
    Row { package: "omni-types", may_use: &[], wing: false, reason: "the words: everything stands on them" },
    Row {
        package: "omni-protocol",
        may_use: &["omni-types"],
        wing: false,
        reason: "what is spoken on the wire is known without knowing who speaks",
    },
    Row {
        package: "omni-screen",
        may_use: &["omni-types", "omni-protocol"],
        wing: false,
        reason: "what a message may hold is judged without knowing whose it is or where it goes",
    },
    Row {
        package: "omni-telemetry",
        may_use: &["omni-types"],
        wing: false,
        reason: "whoever measures must not depend on what is measured",
    },
    Row {
        package: "omni-audit",
        may_use: &["omni-types", "omni-store", "omni-telemetry"],
        wing: false,
        reason: "what is written down must not depend on who writes",
    },
    Row {
        package: "omni-store",
        may_use: &["omni-types", "omni-telemetry"],
        wing: false,
        reason: "rows are kept without knowing what they mean: who may do what is decided above",
    },
    Row {
        package: "omni-cache",
        may_use: &["omni-types", "omni-store", "omni-telemetry"],
        wing: false,
        reason: "things are kept without knowing what they mean, and under digests: whose they are is decided above",
    },
    Row {
        package: "omni-egress",
        may_use: &["omni-types", "omni-telemetry"],
        wing: false,
        reason: "the one door out knows nothing of MCP: it guards addresses, not messages",
    },
    Row {
        package: "omni-auth",
        may_use: &["omni-types", "omni-store", "omni-telemetry", "omni-audit", "omni-egress"],
        wing: true,
        reason: "a wing: who somebody is and what they may do is decided without knowing any server",
    },
    Row {
        package: "omni-profiles",
        may_use: &["omni-types", "omni-store", "omni-telemetry", "omni-audit", "omni-egress"],
        wing: true,
        reason: "a wing: what a profile says is read without knowing any server, nor whoever applies it",
    },
    Row {
        package: "omni-proxy",
        may_use: &["omni-types", "omni-protocol", "omni-telemetry", "omni-audit", "omni-egress"],
        wing: true,
        reason: "a wing: servers are reached without knowing for whom, so the proxy cannot decide about permission",
    },
    Row {
        package: "omni-secrets",
        may_use: &["omni-types", "omni-store", "omni-telemetry", "omni-audit", "omni-egress"],
        wing: true,
        reason: "a wing: values are found and kept without knowing what they are used for; never in the general cache",
    },
    Row {
        package: "omni-hub",
        may_use: &[
            "omni-types",
            "omni-protocol",
            "omni-screen",
            "omni-telemetry",
            "omni-store",
            "omni-cache",
            "omni-audit",
            "omni-auth",
            "omni-profiles",
            "omni-proxy",
        ],
        wing: false,
        reason: "where the wings meet, in flows a reader sees; it goes out only through a wing, so no egress",
    },
    Row {
        package: "omni-gateway",
        may_use: &["omni-types", "omni-protocol", "omni-telemetry", "omni-audit", "omni-hub"],
        wing: false,
        reason: "listeners know the hub and never a wing: nothing gets past the stages",
    },
    Row {
        package: "omni-servers",
        may_use: &["omni-types", "omni-protocol"],
        wing: false,
        reason: "the built-in servers run as children like any other server: they share words, not insides",
    },
    Row {
        package: "omni",
        may_use: &[EVERYTHING],
        wing: false,
        reason: "the program: the one place where everything is put together",
    },
    Row {
        package: "omni-fixtures",
        may_use: &[],
        wing: false,
        reason: "servers for tests stand on rmcp alone: an oracle that shares our code would share our mistakes",
    },
    Row {
        package: "omni-bench",
        may_use: &[],
        wing: false,
        reason: "measures the binary from outside, as a client and a server see it",
    },
    Row {
        package: "omni-fuzz",
        may_use: &[
            "omni-types",
            "omni-protocol",
            "omni-screen",
            "omni-egress",
            "omni-audit",
            "omni-auth",
            "omni-secrets",
            "omni-profiles",
            "omni-hub",
            "omni-gateway",
        ],
        wing: false,
        reason: "feeds chance to the public doors of what reads strangers' bytes; ships nothing",
    },
    Row {
        package: "omni-simulation",
        may_use: &["omni-types", "omni-protocol", "omni-egress", "omni-auth", "omni-proxy", "omni-hub"],
        wing: false,
        reason: "puts the hub into a simulated network: it needs the doors in and out, and ships nothing",
    },
    Row { package: "omni-tidy", may_use: &[], wing: false, reason: "reads the house, lives in none of its rooms" },
    Row { package: "xtask", may_use: &[], wing: false, reason: "starts programs; must build in seconds" },
];
