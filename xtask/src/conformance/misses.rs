//! The list of scenarios that are known to fail, each with the reason that the document tells.

use super::column::Column;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The known misses: by column and revision, a sentence and the scenarios it is told of.
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

    /// Why `scenario` may fail, if it may. What the fixture itself misses, every way to it misses too.
    pub(super) fn reason(&self, column: Column, revision: &str, scenario: &str) -> Option<&str> {
        let own = self.listed(column, revision, scenario);
        if matches!(column, Column::Hub | Column::Aggregate | Column::Cross) {
            return own.or_else(|| self.listed(Column::Direct, revision, scenario));
        }
        own
    }

    /// The sentence under which `scenario` stands in the list of `column` itself.
    fn listed(&self, column: Column, revision: &str, scenario: &str) -> Option<&str> {
        let sentences = self.known[column.name()][revision].as_object()?;
        let of = |scenarios: &Value| scenarios.as_array().is_some_and(|all| all.iter().any(|one| one == scenario));
        sentences.iter().find(|(_, scenarios)| of(scenarios)).map(|(sentence, _)| sentence.as_str())
    }

    /// Every entry: column, revision, scenario.
    pub(super) fn entries(&self) -> Vec<(Column, String, String)> {
        let mut entries = Vec::new();
        for column in Column::ALL {
            for (revision, sentences) in self.known[column.name()].as_object().into_iter().flatten() {
                for scenarios in sentences.as_object().into_iter().flatten().map(|(_, scenarios)| scenarios) {
                    let names = scenarios.as_array().into_iter().flatten().filter_map(Value::as_str);
                    entries.extend(names.map(|scenario| (column, revision.clone(), scenario.to_owned())));
                }
            }
        }
        entries
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
            "direct": { "2026-07-28": { "No tasks.": ["tasks-x", "tasks-y"] } },
            "hub": { "2025-11-25": { "Not yet.": ["sampling"] } },
        }));
        for column in [Column::Direct, Column::Hub, Column::Cross] {
            assert_eq!(misses.reason(column, "2026-07-28", "tasks-y"), Some("No tasks."));
        }
        assert_eq!(misses.reason(Column::SameEra, "2026-07-28", "tasks-y"), None);
        assert_eq!(misses.reason(Column::Hub, "2025-11-25", "sampling"), Some("Not yet."));
        assert_eq!(misses.reason(Column::Direct, "2025-11-25", "sampling"), None);
        assert_eq!(misses.reason(Column::Hub, "2026-07-28", "sampling"), None);
        assert_eq!(misses.entries().len(), 3);
    }
}
