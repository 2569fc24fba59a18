//! The list of scenarios that are known to fail, each with the reason that the document tells.

use super::column::Column;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The known misses: by column, revision and scenario.
#[derive(Debug)]
pub(super) struct Misses {
    known: Value,
}

impl Misses {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let known = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
        Ok(Self { known })
    }

    /// Why `scenario` may fail, if it may. What the fixture itself misses, the hub in front of it misses too.
    pub(super) fn reason(&self, column: Column, revision: &str, scenario: &str) -> Option<&str> {
        let of = |column: Column| self.known[column.name()][revision][scenario].as_str();
        match column {
            Column::Direct => of(Column::Direct),
            Column::Hub => of(Column::Hub).or_else(|| of(Column::Direct)),
        }
    }
}

#[cfg(test)]
impl Misses {
    /// A list for tests.
    pub(super) fn from_json(known: Value) -> Self {
        Self { known }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_hub_may_miss_what_its_upstream_misses() {
        let misses = Misses::from_json(json!({
            "direct": { "2026-07-28": { "tasks-x": "no tasks" } },
            "hub": { "2025-11-25": { "sampling": "not yet" } },
        }));
        assert_eq!(misses.reason(Column::Hub, "2026-07-28", "tasks-x"), Some("no tasks"));
        assert_eq!(misses.reason(Column::Hub, "2025-11-25", "sampling"), Some("not yet"));
        assert_eq!(misses.reason(Column::Direct, "2025-11-25", "sampling"), None);
        assert_eq!(misses.reason(Column::Hub, "2026-07-28", "sampling"), None);
    }
}
