//! The operator's own patterns over arguments and names (row VAL-4): linear in time, so no text can make them slow.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use crate::glob::{Glob, any, parse_all};
use crate::linear::linear;
use crate::schema::Violation;
use crate::settings::RuleSettings;

/// Complaints told about one call.
const VIOLATIONS_MAX: usize = 8;

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
        let tools = parse_all(&settings.tools).map_err(|(at, why)| (vec!["tools".to_owned(), at.to_string()], why))?;
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
        let compile =
            |text: &Option<String>, name: &str| text.as_deref().map(linear).transpose().map_err(|why| (key(name), why));
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
            At::Every => self.walk_all(arguments, String::new(), found),
            At::Pointer(steps) => self.walk_to(arguments, steps, String::new(), found),
        }
    }

    /// The texts at `steps` below `value`.
    fn walk_to(&self, value: &Value, steps: &[String], place: String, found: &mut Vec<Violation>) {
        if found.len() >= VIOLATIONS_MAX {
            return;
        }
        let Some((step, rest)) = steps.split_first() else {
            match value {
                Value::String(text) => self.text(text, &place, found),
                other => self.text(&other.to_string(), &place, found),
            }
            return;
        };
        for (own, value) in parts(value).filter(|(own, _)| step == "*" || step == own.as_ref()) {
            self.walk_to(value, rest, below(&place, &own), found);
        }
    }

    /// All texts in `value`, and the names of its members, which are the client's texts as well.
    fn walk_all(&self, value: &Value, place: String, found: &mut Vec<Violation>) {
        if found.len() >= VIOLATIONS_MAX {
            return;
        }
        if let Value::String(text) = value {
            self.text(text, &place, found);
        }
        for (own, value) in parts(value) {
            let place = below(&place, &own);
            self.forbidden_in(&own, &place, found);
            self.walk_all(value, place, found);
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

/// The members of an object, or the elements of a list, each with its step of a pointer.
fn parts(value: &Value) -> Box<dyn Iterator<Item = (Cow<'_, str>, &Value)> + '_> {
    match value {
        Value::Object(members) => Box::new(members.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), value))),
        Value::Array(items) => {
            Box::new(items.iter().enumerate().map(|(at, value)| (Cow::Owned(at.to_string()), value)))
        }
        _ => Box::new(std::iter::empty()),
    }
}

fn below(place: &str, step: &str) -> String {
    format!("{place}/{}", step.replace('~', "~0").replace('/', "~1"))
}
