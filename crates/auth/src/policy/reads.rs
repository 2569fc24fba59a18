//! What a policy reads of a call's context and of its caller's claims: what it does not read need not be known to decide.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::policy::path::path_of;

/// What is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) arguments: bool,
    pub(super) numbers: bool,
    pub(super) lists: bool,
    pub(super) now: bool,
    pub(super) loopback: bool,
    pub(super) address: bool,
    pub(super) client: bool,
    pub(super) revision: bool,
    pub(super) action: bool,
    pub(super) principal: bool,
    /// What the server says of the tool: `resource.readOnly` and its like.
    pub(super) hints: bool,
    /// `resource.server`
    pub(super) server: bool,
    /// `resource.name` or `resource.uri`, or of which kind, server or pattern it is.
    pub(super) name: bool,
}

/// The claims that are read, by their paths. Tags of other things are among them: more than is read does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Claims {
    /// These, and what is in them.
    Named(BTreeSet<String>),
    /// Which of them cannot be told.
    All,
}

impl Default for Claims {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl Claims {
    /// Adds what the policy, in Cedar's JSON form, reads.
    pub(super) fn add(&mut self, policy: &Value) {
        match policy {
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    if matches!(name.as_str(), "getTag" | "hasTag") {
                        match (&mut *self, member["right"]["Value"].as_str()) {
                            (Self::Named(names), Some(tag)) => {
                                names.insert(tag.to_owned());
                            }
                            _ => *self = Self::All,
                        }
                    }
                    self.add(member);
                }
            }
            _ => {}
        }
    }

    /// Those of `claims` that are read; what is in them comes with them.
    pub(super) fn of<'a>(&self, claims: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value)> {
        let is_read = |name: &str| match self {
            Self::All => true,
            Self::Named(names) if names.is_empty() => false,
            Self::Named(names) => {
                let path = path_of(name);
                names.iter().any(|read| read.starts_with(&path))
            }
        };
        claims.iter().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| is_read(name)).collect()
    }
}

impl Reads {
    pub(super) const EVERYTHING: Self = Self {
        arguments: true,
        numbers: true,
        lists: true,
        now: true,
        loopback: true,
        address: true,
        client: true,
        revision: true,
        action: true,
        principal: true,
        hints: true,
        server: true,
        name: true,
    };

    /// What its scope reads, where Cedar looks at that.
    pub(super) const SCOPE: Self =
        Self { action: true, principal: true, hints: true, server: true, name: true, ..Self::NOTHING };
    const NOTHING: Self = Self {
        arguments: false,
        numbers: false,
        lists: false,
        now: false,
        loopback: false,
        address: false,
        client: false,
        revision: false,
        action: false,
        principal: false,
        hints: false,
        server: false,
        name: false,
    };

    /// What the policy, in Cedar's JSON form, reads. What cannot be told counts as everything.
    pub(super) fn of(policy: &Value) -> Self {
        let mut reads = Self::default();
        reads.visit(policy);
        reads
    }

    fn visit(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.visit(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    let attribute = member["attr"].as_str().filter(|_| matches!(name.as_str(), "." | "has"));
                    match (attribute, member["left"]["Var"].as_str()) {
                        (Some(attribute), Some("context")) => self.member(attribute),
                        (Some(attribute), Some("resource")) => self.of_thing(attribute),
                        _ if name == "Var" => self.whole(member),
                        // An entity that is named may be the one that is asked about.
                        _ if name == "__entity" => *self = self.and(Self::SCOPE),
                        _ => self.visit(member),
                    }
                }
            }
            _ => {}
        }
    }

    /// A variable that is read as it is.
    fn whole(&mut self, variable: &Value) {
        match variable.as_str() {
            Some("principal") => self.principal = true,
            Some("action") => self.action = true,
            Some("resource") => (self.hints, self.server, self.name) = (true, true, true),
            _ => *self = Self::EVERYTHING,
        }
    }

    fn of_thing(&mut self, attribute: &str) {
        match attribute {
            "readOnly" | "destructive" | "idempotent" | "openWorld" => self.hints = true,
            "server" => self.server = true,
            _ => (self.hints, self.server, self.name) = (true, true, true),
        }
    }

    fn member(&mut self, name: &str) {
        match name {
            "arguments" => self.arguments = true,
            "numbers" => self.numbers = true,
            "lists" => self.lists = true,
            "now" => self.now = true,
            "loopback" => self.loopback = true,
            "address" => self.address = true,
            "client" => self.client = true,
            "revision" => self.revision = true,
            _ => *self = Self::EVERYTHING,
        }
    }

    /// Whether it can change from one call to the next of the same client.
    pub(super) const fn varies(&self) -> bool {
        self.arguments || self.numbers || self.lists || self.now
    }

    /// What either reads.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            arguments: self.arguments || other.arguments,
            numbers: self.numbers || other.numbers,
            lists: self.lists || other.lists,
            now: self.now || other.now,
            loopback: self.loopback || other.loopback,
            address: self.address || other.address,
            client: self.client || other.client,
            revision: self.revision || other.revision,
            action: self.action || other.action,
            principal: self.principal || other.principal,
            hints: self.hints || other.hints,
            server: self.server || other.server,
            name: self.name || other.name,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use cedar_policy::Policy;

    use super::{Claims, Reads};

    fn reads(condition: &str) -> Reads {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        Reads::of(&Policy::parse(None, text).unwrap().to_json().unwrap())
    }

    #[test]
    fn tool_2_what_a_policy_reads_is_seen_wherever_it_stands() {
        assert_eq!(reads("resource.readOnly"), Reads { hints: true, ..Reads::default() });
        assert_eq!(
            reads(r#"resource has server && resource["server"] == "x""#),
            Reads { server: true, ..Reads::default() }
        );
        assert_eq!(reads(r#"principal.id != "x""#), Reads { principal: true, ..Reads::default() });
        assert_eq!(reads("action == action"), Reads { action: true, ..Reads::default() });
        for named in
            [r#"resource.name like "a*""#, r#"resource in Server::"x""#, "resource is Tool", "resource.unheard"]
        {
            assert!(reads(named).name && reads(named).hints, "{named}");
        }
        for hidden in ["(if true then resource else resource).readOnly", r#"Tool::"s:t".readOnly"#] {
            assert!(reads(hidden).name && reads(hidden).hints, "{hidden}");
        }
        assert!(reads("[1, 2].contains(3) || (if context.loopback then true else false)").loopback);
        assert!(reads(r#"context.arguments.hasTag("x")"#).arguments);
        assert!(reads(r#"context has address && context["address"].isLoopback()"#).address);
        assert!(reads(r#"{ a: context.now }.a == datetime("2024-01-01")"#).varies());
        assert!(!reads(r#"context.revision == "2026-07-28" && principal.hasTag("context")"#).varies());
        assert_eq!(reads("{ a: context } == { a: context }"), Reads::EVERYTHING);
        assert_eq!(reads("context.unheard"), Reads::EVERYTHING);
        assert!(reads("context has arguments").arguments);
    }

    /// TOOL-2, AUTH-4: a fresh token with the same rights finds what was decided before; one with other rights does not.
    #[test]
    fn tool_2_the_claims_that_a_policy_reads_are_told_from_those_that_it_does_not() {
        let claims = |condition: &str| {
            let text = format!("permit(principal, action, resource) when {{ {condition} }};");
            let mut claims = Claims::default();
            claims.add(&Policy::parse(None, text).unwrap().to_json().unwrap());
            claims
        };
        let token = serde_json::json!({"jti": "1", "org": {"team": "a"}, "organ": "b", "a.b": 1});
        let token = token.as_object().unwrap();
        let read = |condition: &str| {
            claims(condition).of(token).iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()
        };
        assert!(read(r#"principal.id == "jti""#).is_empty());
        assert_eq!(read(r#"principal.hasTag("org.team") && principal.getTag("org.team").contains("a")"#), ["org"]);
        assert_eq!(read(r#"(if context.loopback then principal else principal).hasTag("jti")"#), ["jti"]);
        assert_eq!(read(r#"principal.hasTag("a\\.b")"#), ["a.b"]);
        assert_eq!(read("principal.hasTag(principal.id)").len(), 4, "which one cannot be told");
    }
}
