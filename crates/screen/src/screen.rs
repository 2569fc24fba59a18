//! The screen as it is in force: what the settings became, and what it has seen.

use omni_protocol::Bounds;
use serde_json::Value;

use crate::rules::Rule;
use crate::schema::{SchemaBounds, Violation};
use crate::settings::{AnswersSettings, OutputSchema, UnusableSchema, ValidationSettings};

/// Rules of one configuration.
const RULES_MAX: usize = 1_000;

/// What is checked of messages on their way in and out.
#[derive(Debug)]
pub struct Screen {
    /// Of one message's parameters.
    pub bounds: Bounds,
    /// Of one schema.
    pub schema_bounds: SchemaBounds,
    /// Whether arguments are held against their tool's schema.
    pub arguments: bool,
    /// What happens where there is no usable one.
    pub unusable_schema: UnusableSchema,
    /// Whether values are coerced.
    pub coerce: bool,
    /// What happens to structured content that does not fit.
    pub output_schema: OutputSchema,
    rules: Vec<Rule>,
}

/// What is wrong with a setting, and where in its section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.join("."))]
pub struct ScreenError {
    /// The section and the keys that lead to the value.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub why: String,
}

impl Default for Screen {
    fn default() -> Self {
        let settings = ValidationSettings::default();
        Self {
            bounds: Bounds::default(),
            schema_bounds: SchemaBounds::default(),
            arguments: settings.arguments,
            unusable_schema: settings.unusable_schema,
            coerce: settings.coerce,
            output_schema: OutputSchema::default(),
            rules: Vec::new(),
        }
    }
}

impl Screen {
    /// Makes the screen that the settings describe.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn build(validation: &ValidationSettings, answers: &AnswersSettings) -> Result<Self, ScreenError> {
        let wrong =
            |path: &[&str], why: String| ScreenError { path: path.iter().map(ToString::to_string).collect(), why };
        if validation.rules.len() > RULES_MAX {
            return Err(wrong(&["validation", "rules"], format!("holds more than {RULES_MAX} rules")));
        }
        let mut rules = Vec::with_capacity(validation.rules.len());
        for (at, rule) in validation.rules.iter().enumerate() {
            rules.push(Rule::build(rule).map_err(|(below, why)| {
                let mut path = vec!["validation".to_owned(), "rules".to_owned(), at.to_string()];
                path.extend(below);
                ScreenError { path, why }
            })?);
        }
        Ok(Self {
            bounds: Bounds {
                depth_max: validation.depth_max,
                string_bytes_max: validation.string_bytes_max,
                elements_max: validation.elements_max,
            },
            arguments: validation.arguments,
            unusable_schema: validation.unusable_schema,
            coerce: validation.coerce,
            output_schema: answers.output_schema,
            rules,
            ..Self::default()
        })
    }

    /// Whether a rule is about what `server` calls `name`.
    #[must_use]
    pub fn has_rules(&self, server: &str, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.concerns(server, name))
    }

    /// What the operator's rules find wrong with a call.
    #[must_use]
    pub fn break_rules(&self, server: &str, name: &str, arguments: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.concerns(server, name)) {
            rule.check(name, arguments, &mut found);
        }
        found
    }
}
