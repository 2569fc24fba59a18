//! The `validation` and `answers` sections of `omni.yaml` as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is checked of what clients send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationSettings {
    /// Whether a tool's arguments are held against its schema before it is called.
    pub arguments: bool,
    /// What happens to calls of a tool whose schema cannot be used: it is not valid, of an unknown dialect, too large, or points
    /// to another document. A `pattern` that does not run in linear time is left out of the check, and the rest is checked.
    pub unusable_schema: UnusableSchema,
    /// Whether a value of another type than the schema wants is rewritten where both say the same: `"5"` for an integer, `5` for
    /// a text, `"true"` for a boolean.
    pub coerce: bool,
    /// Levels of nesting that a message's parameters may have.
    #[schemars(range(min = 2, max = 120))]
    pub depth_max: usize,
    /// Bytes that one text in them may have.
    #[schemars(range(min = 64))]
    pub string_bytes_max: usize,
    /// Elements that one list, or members that one object in them may have.
    #[schemars(range(min = 8))]
    pub elements_max: usize,
    /// The operator's own patterns over arguments and names.
    pub rules: Vec<RuleSettings>,
}

impl Default for ValidationSettings {
    fn default() -> Self {
        let bounds = omni_protocol::Bounds::default();
        Self {
            arguments: true,
            unusable_schema: UnusableSchema::default(),
            coerce: false,
            depth_max: bounds.depth_max,
            string_bytes_max: bounds.string_bytes_max,
            elements_max: bounds.elements_max,
            rules: Vec::new(),
        }
    }
}

/// What happens to calls of a tool whose schema cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnusableSchema {
    /// They are refused: what cannot be checked is not let through as if it had been.
    #[default]
    Refuse,
    /// They go to the server as they are; the log names the tool.
    Pass,
}

/// One rule over arguments or names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// The tools it is about, as `server:name` with `*` and `?`; all when empty.
    pub tools: Vec<String>,
    /// Where it looks: `name`, `*` for every text in the arguments, or a JSON pointer such as `/query`, with `*` for any step.
    pub at: String,
    /// Regular expression that the text must match. Without look-around and back-references: it runs in linear time.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// Regular expression that the text must not match.
    #[serde(rename = "deny", skip_serializing_if = "Option::is_none")]
    pub forbidden: Option<String>,
    /// What the client is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What is checked of what servers answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnswersSettings {
    /// What happens to structured content that does not fit its tool's output schema.
    pub output_schema: OutputSchema,
}

/// What happens to structured content that does not fit its tool's output schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputSchema {
    /// It is not looked at.
    Pass,
    /// It goes to the client, who checks it as well; the log tells what is wrong with it.
    #[default]
    Warn,
    /// The client is told that the server broke its word.
    Refuse,
}
