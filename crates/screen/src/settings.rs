//! The `validation` and `answers` sections of `omni.yaml` as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::characters::Action;
use crate::characters::CharacterRules;
use crate::detect::Kind;

/// What is checked of what clients send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationSettings {
    /// Whether a tool's arguments are held against its schema before it is called.
    pub arguments: bool,
    /// What happens to calls of a tool whose schema cannot be used: it is not valid, of an unknown dialect, too large, or points
    /// to another document. A `pattern` that does not run in linear time is left out of the check, and the rest is checked.
    pub unusable_schema: UnusableSchema,
    /// Whether arguments may have a member that differs from one that the schema lists by the case of its letters alone. Servers
    /// whose JSON reader takes one for the other (those in Go) would read what was not checked.
    pub case_variants: bool,
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
    /// What is done about dangerous characters in arguments and in answers to servers' questions. In names they are refused.
    pub characters: ArgumentCharacters,
}

impl Default for ValidationSettings {
    fn default() -> Self {
        let bounds = omni_protocol::Bounds::default();
        Self {
            arguments: true,
            unusable_schema: UnusableSchema::default(),
            case_variants: false,
            coerce: false,
            depth_max: bounds.depth_max,
            string_bytes_max: bounds.string_bytes_max,
            elements_max: bounds.elements_max,
            rules: Vec::new(),
            characters: ArgumentCharacters::default(),
        }
    }
}

/// What is done about dangerous characters in arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArgumentCharacters {
    /// U+0000.
    pub nul: Action,
    /// Control characters other than tab, line feed, carriage return and form feed, and terminal escapes.
    pub control: Action,
    /// Overrides of the direction of text; embeddings and isolates that are not closed in their paragraph.
    pub bidi: Action,
    /// Characters that show nothing, where no script needs them.
    pub zero_width: Action,
    /// Tag characters and runs of variation selectors: text that nobody sees.
    pub hidden: Action,
    /// Tools that take such characters all the same, as `server:name` with `*` and `?`: a terminal, say.
    pub except: Vec<String>,
}

impl Default for ArgumentCharacters {
    fn default() -> Self {
        use Action::{Pass, Reject};
        Self { nul: Reject, control: Reject, bidi: Reject, zero_width: Pass, hidden: Reject, except: Vec::new() }
    }
}

impl ArgumentCharacters {
    pub(crate) const fn rules(&self) -> CharacterRules {
        let Self { nul, control, bidi, zero_width, hidden, .. } = *self;
        CharacterRules { nul, control, bidi, zero_width, hidden }
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnswersSettings {
    /// Bytes of one message to a client.
    #[schemars(range(min = 1024))]
    pub bytes_max: usize,
    /// What happens to structured content that does not fit its tool's output schema.
    pub output_schema: OutputSchema,
    /// What is done about dangerous characters in answers, and in what servers say of what they offer.
    pub characters: AnswerCharacters,
    /// What is done about personal data, card numbers and keys.
    pub detect: DetectSettings,
    /// What becomes of servers' errors with paths of the host, stack traces or keys in them.
    pub errors: ErrorFilter,
    /// Servers whose errors pass unchanged, as names with `*` and `?`.
    pub errors_pass: Vec<String>,
}

impl Default for AnswersSettings {
    fn default() -> Self {
        Self {
            bytes_max: 32 * 1024 * 1024,
            output_schema: OutputSchema::default(),
            characters: AnswerCharacters::default(),
            detect: DetectSettings::default(),
            errors: ErrorFilter::default(),
            errors_pass: Vec::new(),
        }
    }
}

/// What becomes of servers' errors with paths of the host, stack traces or keys in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorFilter {
    /// The client gets the reason without them and an id, under which the log has the whole.
    #[default]
    Filter,
    /// They pass unchanged.
    Pass,
}

/// What is done about dangerous characters in answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerCharacters {
    /// U+0000.
    pub nul: Action,
    /// Control characters other than tab, line feed, carriage return and form feed, and terminal escapes.
    pub control: Action,
    /// Overrides of the direction of text; embeddings and isolates that are not closed in their paragraph.
    pub bidi: Action,
    /// Characters that show nothing, where no script needs them.
    pub zero_width: Action,
    /// Tag characters and runs of variation selectors: text that nobody sees, but models read.
    pub hidden: Action,
}

impl Default for AnswerCharacters {
    fn default() -> Self {
        use Action::{Mark, Pass};
        Self { nul: Mark, control: Mark, bidi: Mark, zero_width: Pass, hidden: Mark }
    }
}

impl AnswerCharacters {
    pub(crate) const fn rules(&self) -> CharacterRules {
        let Self { nul, control, bidi, zero_width, hidden } = *self;
        CharacterRules { nul, control, bidi, zero_width, hidden }
    }
}

/// What is done about personal data, card numbers and keys in answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DetectSettings {
    /// Numbers of payment cards.
    pub cards: DetectAction,
    /// Numbers of bank accounts (IBAN).
    pub ibans: DetectAction,
    /// Addresses of e-mail.
    pub emails: DetectAction,
    /// Keys and tokens whose shape says whose they are: AWS, GitHub, Slack, JWT, PEM and others; passwords in URLs.
    pub keys: DetectAction,
    /// What is called a secret and looks like chance.
    pub secrets: DetectAction,
}

impl Default for DetectSettings {
    fn default() -> Self {
        use DetectAction::{Mask, Off};
        Self { cards: Mask, ibans: Off, emails: Off, keys: Mask, secrets: Off }
    }
}

impl DetectSettings {
    /// Nothing is looked for.
    pub(crate) const fn off() -> Self {
        use DetectAction::Off;
        Self { cards: Off, ibans: Off, emails: Off, keys: Off, secrets: Off }
    }

    pub(crate) const fn of(&self, kind: Kind) -> DetectAction {
        match kind {
            Kind::Card => self.cards,
            Kind::Iban => self.ibans,
            Kind::Email => self.emails,
            Kind::Key => self.keys,
            Kind::Unknown => self.secrets,
        }
    }
}

/// What is done about a kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DetectAction {
    /// It is not looked for.
    Off,
    /// It is counted, and passes.
    Count,
    /// It is masked.
    Mask,
    /// The answer is withheld.
    Block,
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
