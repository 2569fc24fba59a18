//! The operator's own patterns over arguments and names (row VAL-4): linear in time, so no text can make them slow.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::glob::{Glob, any, parse_all};
use crate::schema::Violation;
use crate::settings::RuleSettings;

/// Bytes of a compiled pattern.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Complaints told about one call.
const VIOLATIONS_MAX: usize = 8;

/// Compiles a pattern within bounds.
pub(crate) fn linear(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| format!("cannot be used: {}", error.to_string().lines().last().unwrap_or_default().trim()))
}

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    tools: Vec<Glob>,
    at: At,
    wanted: Option<Regex>,
    forbidden: Option<Regex>,
    reason: Option<String>,
}

#[derive(Debug, Clone)]
enum At {
    Name,
    Every,
    Pointer(Vec<String>),
}

impl Rule {
    /// Reads a rule; the key that is wrong with it, and why.
    pub(crate) fn build(settings: &RuleSettings) -> Result<Self, (Vec<String>, String)> {
        let key = |name: &str| vec![name.to_owned()];
        let tools =
            parse_all(&settings.tools).map_err(|(at, why)| (vec!["tools".to_owned(), at.to_string()], why))?;
        let at = match settings.at.as_str() {
            "name" => At::Name,
            "" | "*" => At::Every,
            pointer if pointer.starts_with('/') => {
                let step = |step: &str| step.replace("~1", "/").replace("~0", "~");
                At::Pointer(pointer.split('/').skip(1).map(step).collect())
            }
            _ => {
                let why = "is `name`, `*` for every text, or a JSON pointer into the arguments such as `/query`";
                return Err((key("at"), why.to_owned()));
            }
        };
        let compile = |text: &Option<String>, name: &str| {
            text.as_deref().map(linear).transpose().map_err(|why| (key(name), why))
        };
        let (wanted, forbidden) = (compile(&settings.wanted, "match")?, compile(&settings.forbidden, "deny")?);
        if wanted.is_none() && forbidden.is_none() {
            return Err((Vec::new(), "says neither `match` nor `deny`: one of them is needed".to_owned()));
        }
        Ok(Self { tools, at, wanted, forbidden, reason: settings.reason.clone() })
    }

    /// Whether it is about what `server` calls `name`.
    pub(crate) fn concerns(&self, server: &str, name: &str) -> bool {
        self.tools.is_empty() || any(&self.tools, server, name)
    }

    /// What is wrong with the arguments of a call of `name`.
    pub(crate) fn check(&self, name: &str, arguments: &Value, found: &mut Vec<Violation>) {
        match &self.at {
            At::Name => self.text(name, "", found),
            At::Every => self.walk(arguments, &[], true, String::new(), found),
            At::Pointer(steps) => self.walk(arguments, steps, false, String::new(), found),
        }
    }

    fn walk(&self, value: &Value, steps: &[String], every: bool, place: String, found: &mut Vec<Violation>) {
        if found.len() >= VIOLATIONS_MAX {
            return;
        }
        let rest = match (steps, every) {
            ([], false) => {
                match value {
                    Value::String(text) => self.text(text, &place, found),
                    other => self.text(&other.to_string(), &place, found),
                }
                return;
            }
            ([_, rest @ ..], false) => rest,
            (_, true) => steps,
        };
        let wanted = |step: &str| every || steps.first().is_some_and(|own| own == "*" || own == step);
        match value {
            Value::Object(members) => {
                for (step, value) in members.iter().filter(|(step, _)| wanted(step)) {
                    let place = format!("{place}/{}", step.replace('~', "~0").replace('/', "~1"));
                    if every {
                        // A name of a member is the client's text as well.
                        self.forbidden_in(step, &place, found);
                    }
                    self.walk(value, rest, every, place, found);
                }
            }
            Value::Array(items) => {
                for (at, value) in items.iter().enumerate().filter(|(at, _)| wanted(&at.to_string())) {
                    self.walk(value, rest, every, format!("{place}/{at}"), found);
                }
            }
            Value::String(text) if every => self.text(text, &place, found),
            _ => {}
        }
    }

    fn forbidden_in(&self, text: &str, place: &str, found: &mut Vec<Violation>) {
        if self.forbidden.as_ref().is_some_and(|pattern| pattern.is_match(text)) {
            found.push(Violation::at(place, self.reason.as_deref().unwrap_or("a rule of this hub forbids it")));
        }
    }

    fn text(&self, text: &str, place: &str, found: &mut Vec<Violation>) {
        self.forbidden_in(text, place, found);
        if self.wanted.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            found.push(Violation::at(place, self.reason.as_deref().unwrap_or("a rule of this hub wants it otherwise")));
        }
    }
}
