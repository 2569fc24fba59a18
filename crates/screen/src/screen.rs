//! The screen as it is in force: what the settings became, and what it has seen.

use std::sync::Arc;

use omni_protocol::{Bounds, Message};
use serde_json::Value;

use crate::characters::{CharacterRules, Class, dangerous};
use crate::counts::{Counts, Odd};
use crate::glob::{Glob, any, parse_all};
use crate::leaks::without_leaks;
use crate::mask::{Mask, NoMask};
use crate::message::{Outward, Withheld, inward, might_change, outward};
use crate::rules::Rule;
use crate::schema::{SchemaBounds, Violation};
use crate::settings::{AnswersSettings, DetectSettings, ErrorFilter, OutputSchema, UnusableSchema, ValidationSettings};
use crate::strings::Reach;

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
    /// Whether members may differ from listed ones by case alone.
    pub case_variants: bool,
    /// Whether values are coerced.
    pub coerce: bool,
    /// What happens to structured content that does not fit.
    pub output_schema: OutputSchema,
    /// Bytes of one message to a client.
    pub answer_bytes_max: usize,
    rules: Vec<Rule>,
    arguments_hold: CharacterRules,
    except: Vec<Glob>,
    answers_hold: CharacterRules,
    detect: DetectSettings,
    errors: ErrorFilter,
    errors_pass: Vec<Glob>,
    mask: Arc<dyn Mask>,
    counts: Arc<Counts>,
}

/// What a server says of what it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// As it came.
    AsItIs,
    /// Its dangerous characters taken out or marked.
    Changed(String),
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
        let (validation, answers) = (ValidationSettings::default(), AnswersSettings::default());
        Self::of(&validation, &answers, Lists::default())
    }
}

/// What had to be read, and could be wrong.
#[derive(Default)]
struct Lists {
    rules: Vec<Rule>,
    except: Vec<Glob>,
    errors_pass: Vec<Glob>,
}

impl Screen {
    /// Makes the screen that the settings describe.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn build(validation: &ValidationSettings, answers: &AnswersSettings) -> Result<Self, ScreenError> {
        let wrong = |path: &[&str], at: Option<usize>, why: String| {
            let at = at.map(|at| at.to_string());
            ScreenError { path: path.iter().copied().chain(at.as_deref()).map(str::to_owned).collect(), why }
        };
        if validation.rules.len() > RULES_MAX {
            return Err(wrong(&["validation", "rules"], None, format!("holds more than {RULES_MAX} rules")));
        }
        let mut rules = Vec::with_capacity(validation.rules.len());
        for (at, rule) in validation.rules.iter().enumerate() {
            rules.push(Rule::build(rule).map_err(|(below, why)| {
                let mut error = wrong(&["validation", "rules"], Some(at), why);
                error.path.extend(below);
                error
            })?);
        }
        let except = parse_all(&validation.characters.except)
            .map_err(|(at, why)| wrong(&["validation", "characters", "except"], Some(at), why))?;
        let errors_pass =
            parse_all(&answers.errors_pass).map_err(|(at, why)| wrong(&["answers", "errors_pass"], Some(at), why))?;
        Ok(Self::of(validation, answers, Lists { rules, except, errors_pass }))
    }

    fn of(validation: &ValidationSettings, answers: &AnswersSettings, lists: Lists) -> Self {
        Self {
            bounds: Bounds {
                depth_max: validation.depth_max,
                string_bytes_max: validation.string_bytes_max,
                elements_max: validation.elements_max,
            },
            schema_bounds: SchemaBounds::default(),
            arguments: validation.arguments,
            unusable_schema: validation.unusable_schema,
            case_variants: validation.case_variants,
            coerce: validation.coerce,
            output_schema: answers.output_schema,
            answer_bytes_max: answers.bytes_max,
            rules: lists.rules,
            arguments_hold: validation.characters.rules(),
            except: lists.except,
            answers_hold: answers.characters.rules(),
            detect: answers.detect.clone(),
            errors: answers.errors,
            errors_pass: lists.errors_pass,
            mask: Arc::new(NoMask),
            counts: Arc::default(),
        }
    }

    /// The same, going on with the counts of the screen before it, and masking the secrets that `mask` knows.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        (self.mask, self.counts) = (Arc::clone(&before.mask), Arc::clone(&before.counts));
        self
    }

    /// The same, masking the secrets that `mask` knows.
    #[must_use]
    pub fn with_mask(mut self, mask: Arc<dyn Mask>) -> Self {
        self.mask = mask;
        self
    }

    /// What was seen out of the ordinary.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The first dangerous character of a name: none has any.
    #[must_use]
    pub fn dangerous_name(&self, name: &str) -> Option<Class> {
        let break_of_line = name.contains(['\r', '\n', '\t', '\u{c}']).then_some(Class::Control);
        let found = break_of_line.or_else(|| dangerous(name).first().map(|(_, class)| *class));
        if found.is_some() {
            self.counts.count(Odd::Character);
        }
        found
    }

    /// The JSON text of what a client sends to what `server` calls `name`, with its dangerous characters made harmless; `None`
    /// where it stays as it is.
    ///
    /// # Errors
    /// When it holds what must be refused.
    pub fn inward(&self, server: &str, name: &str, json: &str) -> Result<Option<String>, Withheld> {
        if self.arguments_hold.is_idle() || !self.except.is_empty() && any(&self.except, server, name) {
            return Ok(None);
        }
        inward(json, &self.arguments_hold, &self.counts)
    }

    /// The JSON text of a message of a server's, fit to leave; `None` where it is as it came.
    ///
    /// # Errors
    /// When it must not leave.
    pub fn outward(&self, json: &str) -> Result<Option<String>, Withheld> {
        let done = outward(json, Reach::Message, &self.rules_out());
        if done.is_err() {
            self.counts.count(Odd::Answer);
        }
        done
    }

    /// Whether a message of a server's is fit to leave as it came, whatever its id: `true` is sure.
    #[must_use]
    pub fn lets_pass(&self, message: &Message) -> bool {
        !might_change(message.text(), message.spelling(), &self.rules_out())
    }

    /// What a server says of what it offers under `name`, fit to be read; `None` where it is not shown: its name has dangerous
    /// characters, or its text some that are refused.
    #[must_use]
    pub fn described(&self, name: &str, json: &str) -> Option<Described> {
        if self.dangerous_name(name).is_some() {
            return None;
        }
        // Data in examples is no leak: characters alone.
        let off = DetectSettings::off();
        let rules = Outward { detect: &off, mask: &NoMask, ..self.rules_out() };
        match outward(json, Reach::Message, &rules) {
            Ok(None) => Some(Described::AsItIs),
            Ok(Some(text)) => Some(Described::Changed(text)),
            Err(_) => None,
        }
    }

    fn rules_out(&self) -> Outward<'_> {
        Outward { characters: &self.answers_hold, detect: &self.detect, mask: &*self.mask, counts: &self.counts }
    }

    /// A text that only people and models read, fit to be shown.
    #[must_use]
    pub fn reason(&self, text: &str, asked: &str) -> Option<String> {
        let masked = self.without_secrets(text);
        let found = without_leaks(masked.as_deref().unwrap_or(text), asked).or(masked);
        if found.is_some() {
            self.counts.count(Odd::Error);
        }
        found
    }

    /// `text` with the secrets masked that are known by their values; `None` where it holds none.
    fn without_secrets(&self, text: &str) -> Option<String> {
        let mut found = Vec::new();
        self.mask.find(text, &mut found);
        if found.is_empty() {
            return None;
        }
        found.sort_by_key(|(range, _)| range.start);
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        for (range, name) in found.into_iter().filter(|(range, _)| !range.is_empty()) {
            if range.start >= at {
                out.push_str(&text[at..range.start]);
                out.push_str(&format!("[secret {name} masked]"));
            }
            at = at.max(range.end);
        }
        out.push_str(&text[at..]);
        Some(out)
    }

    /// Whether the errors of `server` are filtered.
    #[must_use]
    pub fn filters_errors(&self, server: &str) -> bool {
        self.errors == ErrorFilter::Filter && !any(&self.errors_pass, server, "")
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
