//! Patterns that policies name, found by what they cover.

use std::collections::HashMap;

use omni_types::{Pattern, PatternError};

/// All patterns that policies name, so that those that cover a thing are found without trying each.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    all: Vec<Pattern>,
    exact: HashMap<(String, String), Vec<usize>>,
    of_server: HashMap<String, Vec<usize>>,
    others: Vec<usize>,
}

impl Patterns {
    /// Adds `text`, once.
    pub(super) fn add(&mut self, text: &str) -> Result<(), PatternError> {
        let pattern = Pattern::parse(text)?;
        let is_open = |text: &str| text.contains(['*', '?']);
        let list = match (is_open(pattern.server()), is_open(pattern.name())) {
            (true, _) => &mut self.others,
            (false, true) => self.of_server.entry(pattern.server().to_owned()).or_default(),
            (false, false) => self.exact.entry((pattern.server().to_owned(), pattern.name().to_owned())).or_default(),
        };
        if list.iter().all(|at| self.all[*at].text() != pattern.text()) {
            list.push(self.all.len());
            self.all.push(pattern);
        }
        Ok(())
    }

    /// The patterns that cover `name` of `server`, as they are written.
    pub(super) fn covering(&self, server: &str, name: &str) -> impl Iterator<Item = &str> {
        let exact = self.exact.get(&(server.to_owned(), name.to_owned())).into_iter().flatten();
        let near = self.of_server.get(server).into_iter().flatten().chain(&self.others);
        let near = near.filter(move |at| self.all[**at].matches(server, name)).collect::<Vec<_>>();
        exact.chain(near).map(|at| self.all[*at].text())
    }
}
