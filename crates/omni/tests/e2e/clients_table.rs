//! Which client is tested on which transport in which revision: the tests read it from here, and `docs/CLIENTS.md` tells it.

use std::fmt::Write as _;

/// How a client reaches the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    Stdio,
    Http,
    Sse,
    WebSocket,
}

/// What a client speaks on one of them.
pub(crate) struct Cell {
    pub(crate) road: Road,
    /// The revisions that it agrees on with the hub.
    pub(crate) versions: &'static [&'static str],
}

/// One client.
pub(crate) struct Row {
    pub(crate) client: &'static str,
    /// The file with its tests.
    tests: &'static str,
    pub(crate) cells: &'static [Cell],
    /// What the tests do with it.
    does: &'static str,
}

const LEGACY: &[&str] = &["2025-11-25"];
const BOTH: &[&str] = &["2025-11-25", "2026-07-28"];

const fn cell(road: Road, versions: &'static [&'static str]) -> Cell {
    Cell { road, versions }
}

pub(crate) const TS_1: Row = Row {
    client: "TypeScript SDK 1.32.2",
    tests: include_str!("clients_sdk.rs"),
    cells: &[
        cell(Road::Stdio, LEGACY),
        cell(Road::Http, LEGACY),
        cell(Road::Sse, LEGACY),
        cell(Road::WebSocket, LEGACY),
    ],
    does: "lists, calls, is asked, progress, logs, cancels",
};
pub(crate) const TS_2: Row = Row {
    client: "TypeScript SDK 2.4.0",
    tests: include_str!("clients_sdk.rs"),
    cells: &[cell(Road::Stdio, BOTH), cell(Road::Http, BOTH), cell(Road::Sse, BOTH)],
    does: "the same",
};
pub(crate) const PYTHON_1: Row = Row {
    client: "Python SDK 1.30.0",
    tests: include_str!("clients_sdk.rs"),
    cells: &[
        cell(Road::Stdio, LEGACY),
        cell(Road::Http, LEGACY),
        cell(Road::Sse, LEGACY),
        cell(Road::WebSocket, LEGACY),
    ],
    does: "the same, but cannot cancel",
};
pub(crate) const PYTHON_2: Row = Row {
    client: "Python SDK 2.3.0",
    tests: include_str!("clients_sdk.rs"),
    cells: &[cell(Road::Stdio, BOTH), cell(Road::Http, BOTH), cell(Road::Sse, BOTH)],
    does: "the same, and cancels",
};
const RMCP: Row = Row {
    client: "Rust SDK (rmcp) 3.9",
    tests: concat!(include_str!("clients.rs"), include_str!("clients_asked.rs")),
    cells: &[cell(Road::Stdio, BOTH), cell(Road::Http, BOTH)],
    does: "lists, calls, is asked",
};
pub(crate) const CLAUDE: Row = Row {
    client: "Claude Code 2.1.330",
    tests: include_str!("clients_claude.rs"),
    cells: &[
        cell(Road::Stdio, &["finds out"]),
        cell(Road::Http, &["finds out"]),
        cell(Road::Sse, &["finds out"]),
        cell(Road::WebSocket, &["finds out"]),
    ],
    does: "`mcp add`, `list` and `get` with their health checks, also what `omni connect` wrote",
};
const ROWS: [&Row; 6] = [&TS_1, &TS_2, &PYTHON_1, &PYTHON_2, &RMCP, &CLAUDE];

fn table() -> String {
    let mut text =
        "| client | stdio | Streamable HTTP | HTTP+SSE | WebSocket | what it does in the tests |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|\n");
    for row in ROWS {
        let _ = write!(text, "| {} |", row.client);
        for road in [Road::Stdio, Road::Http, Road::Sse, Road::WebSocket] {
            let found = row.cells.iter().find(|cell| cell.road == road);
            let _ = write!(text, " {} |", found.map_or("–".to_owned(), |cell| cell.versions.join(", ")));
        }
        let _ = writeln!(text, " {} |", row.does);
    }
    text
}

#[test]
fn val_1_the_table_of_clients_is_that_of_the_documentation() {
    let told = include_str!("../../../../docs/CLIENTS.md");
    let table = table();
    assert!(told.contains(&table), "docs/CLIENTS.md has to hold this table:\n{table}");
    for row in ROWS {
        assert!(row.tests.contains("#[tokio::test"), "{} has no test", row.client);
    }
}

#[test]
fn val_1_the_table_names_the_versions_that_are_installed() {
    let npm = include_str!("../../../../tests/peers/package.json");
    let pins = [
        include_str!("../../../../tests/peers/requirements.txt"),
        include_str!("../../../../tests/peers/requirements-sqlite.txt"),
    ];
    let version = |row: &Row| row.client.rsplit(' ').next().unwrap().to_owned();
    for (package, row) in [
        ("@modelcontextprotocol/sdk", TS_1),
        ("@modelcontextprotocol/client", TS_2),
        ("@anthropic-ai/claude-code-linux-x64", CLAUDE),
    ] {
        assert!(npm.contains(&format!("\"{package}\": \"{}\"", version(&row))), "{package}");
    }
    for (pins, row) in pins.into_iter().zip([PYTHON_2, PYTHON_1]) {
        assert!(pins.lines().any(|line| line == format!("mcp=={}", version(&row))), "{}", row.client);
    }
}
