//! What a profile shows of the servers: it takes away and never adds, since policy is asked all the same.

use std::collections::HashSet;

use omni_types::{Pattern, glob};

use crate::front::Front;

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A tool; whether its server says that it changes nothing.
    Tool {
        /// It changes nothing.
        read_only: bool,
    },
    /// A prompt.
    Prompt,
    /// A resource or template of resources.
    Resource,
}

/// Which things of which servers are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    servers: Option<Vec<String>>,
    tools: Option<Vec<Pattern>>,
    prompts: Option<Vec<Pattern>>,
    resources: Option<Vec<Pattern>>,
    deny: Vec<Pattern>,
    read_only: bool,
}

impl Offer {
    /// # Errors
    /// Which pattern is none.
    pub(crate) fn build(front: &Front) -> Result<Self, String> {
        let list = |key: &str, texts: &[String]| -> Result<Vec<Pattern>, String> {
            let one = |(at, text): (usize, &String)| Pattern::parse(text).map_err(|why| format!("{key}[{at}]: {why}"));
            texts.iter().enumerate().map(one).collect()
        };
        let maybe = |key, texts: &Option<Vec<String>>| texts.as_deref().map(|texts| list(key, texts)).transpose();
        // A server's name may be written as a pattern of all of it.
        let server = |text: &String| text.trim_end_matches(":*").trim_end_matches("__*").to_owned();
        Ok(Self {
            servers: front.servers.as_ref().map(|servers| servers.iter().map(server).collect()),
            tools: maybe("tools", &front.tools)?,
            prompts: maybe("prompts", &front.prompts)?,
            resources: maybe("resources", &front.resources)?,
            deny: list("policy.deny", &front.policy.deny)?,
            read_only: front.policy.read_only,
        })
    }

    /// Whether anything of `server` may be shown.
    #[must_use]
    pub fn shows_server(&self, server: &str) -> bool {
        self.servers.as_ref().is_none_or(|servers| servers.iter().any(|one| glob(one, server)))
            && [&self.tools, &self.prompts, &self.resources]
                .into_iter()
                .any(|list| list.as_ref().is_none_or(|globs| globs.iter().any(|glob| glob.matches_server(server))))
    }

    /// Whether `name`, as `server` calls it, is shown.
    #[must_use]
    pub fn shows(&self, thing: Thing, server: &str, name: &str) -> bool {
        let list = match thing {
            Thing::Tool { .. } => &self.tools,
            Thing::Prompt => &self.prompts,
            Thing::Resource => &self.resources,
        };
        let any = |globs: &[Pattern]| globs.iter().any(|glob| glob.matches(server, name));
        self.servers.as_ref().is_none_or(|servers| servers.iter().any(|one| glob(one, server)))
            && list.as_deref().is_none_or(any)
            && !any(&self.deny)
            && (!self.read_only || !matches!(thing, Thing::Tool { read_only: false }))
    }

    /// Whether nothing is taken away.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// `later` laid over this one: its lists go before those of the same kind, or join them. What is taken away stays so.
    pub(crate) fn under(&self, later: &Self, join_lists: bool) -> Self {
        fn list<T: Clone + Spelt>(base: &Option<Vec<T>>, later: &Option<Vec<T>>, join: bool) -> Option<Vec<T>> {
            match (base, later) {
                (Some(base), Some(later)) if join => {
                    let known: HashSet<&str> = base.iter().map(Spelt::spelt).collect();
                    let new = later.iter().filter(|one| !known.contains(one.spelt()));
                    Some(base.iter().chain(new).cloned().collect())
                }
                (base, None) => base.clone(),
                (_, later) => later.clone(),
            }
        }
        Self {
            servers: list(&self.servers, &later.servers, join_lists),
            tools: list(&self.tools, &later.tools, join_lists),
            prompts: list(&self.prompts, &later.prompts, join_lists),
            resources: list(&self.resources, &later.resources, join_lists),
            deny: list(&Some(self.deny.clone()), &Some(later.deny.clone()), true).unwrap_or_default(),
            read_only: self.read_only || later.read_only,
        }
    }

    /// Entries of all its lists.
    pub(crate) fn entries(&self) -> usize {
        let patterns = [&self.tools, &self.prompts, &self.resources].into_iter().flatten().map(Vec::len).sum::<usize>();
        patterns + self.servers.as_ref().map_or(0, Vec::len) + self.deny.len()
    }

    /// The same as front matter has it, for people and for the digest; empty where nothing is taken away.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut fields = serde_json::Map::new();
        if let Some(servers) = &self.servers {
            fields.insert("servers".to_owned(), servers.clone().into());
        }
        for (key, list) in [("tools", &self.tools), ("prompts", &self.prompts), ("resources", &self.resources)] {
            if let Some(list) = list {
                fields.insert(key.to_owned(), list.iter().map(|glob| glob.text()).collect());
            }
        }
        let mut policy = serde_json::Map::new();
        if !self.deny.is_empty() {
            policy.insert("deny".to_owned(), self.deny.iter().map(|glob| glob.text()).collect());
        }
        if self.read_only {
            policy.insert("read_only".to_owned(), true.into());
        }
        if !policy.is_empty() {
            fields.insert("policy".to_owned(), policy.into());
        }
        fields.into()
    }
}

/// What is the same when it is written the same.
trait Spelt {
    fn spelt(&self) -> &str;
}

impl Spelt for String {
    fn spelt(&self) -> &str {
        self
    }
}

impl Spelt for Pattern {
    fn spelt(&self) -> &str {
        self.text()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Offer, Thing};
    use crate::front::Front;

    fn offer(yaml: &str) -> Offer {
        Offer::build(&Front::parse(yaml, std::path::Path::new("a.md"), 0).unwrap()).unwrap()
    }

    const TOOL: Thing = Thing::Tool { read_only: false };
    const READER: Thing = Thing::Tool { read_only: true };

    #[test]
    fn cfg_8_lists_narrow_what_is_shown() {
        let one = offer("servers: [git, \"fs:*\"]\ntools: [\"git:*\"]\npolicy: {deny: [\"*:*push*\"]}\n");
        assert!(one.shows(TOOL, "git", "log") && !one.shows(TOOL, "git", "push") && !one.shows(TOOL, "fs", "read"));
        assert!(one.shows(Thing::Resource, "fs", "file:///a") && !one.shows(Thing::Resource, "db", "x:y"));
        assert!(one.shows_server("fs") && !one.shows_server("db") && !one.is_everything());
        let reading = offer("policy: {read_only: true}");
        assert!(
            reading.shows(READER, "a", "b") && !reading.shows(TOOL, "a", "b") && reading.shows(Thing::Prompt, "a", "b")
        );
        assert!(!offer("tools: []").shows(READER, "a", "b") && offer("").is_everything());
    }

    #[test]
    fn cfg_3_what_a_base_takes_away_stays_away() {
        let base = offer("tools: [\"git\"]\npolicy: {deny: [\"git:push\"], read_only: true}");
        let later = offer("tools: [\"*\"]\npolicy: {deny: [\"db\"]}");
        for joined in [true, false] {
            let both = base.under(&later, joined);
            assert!(
                !both.shows(READER, "git", "push") && !both.shows(READER, "db", "x") && !both.shows(TOOL, "fs", "x")
            );
            assert!(both.shows(READER, "fs", "x"));
        }
        assert!(!base.under(&offer(""), false).shows(READER, "fs", "x"));
    }
}
