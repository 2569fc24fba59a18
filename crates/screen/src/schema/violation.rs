//! What is wrong with a value: where (JSON pointer) and what, without repeating the value itself.

use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind};
use jsonschema::types::JsonType;

/// Characters of one complaint: a schema's author may have written a novel.
const TEXT_CHARS_MAX: usize = 240;

/// One complaint.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Violation {
    /// RFC 6901 JSON pointer into the arguments; empty for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl Violation {
    pub(super) fn of(error: &ValidationError<'_>) -> Self {
        // The value is the client's, and may be a secret: the place says enough.
        let message = cut(&error.masked_with("the value").to_string());
        Self { pointer: cut(&error.instance_path().to_string()), message }
    }

    /// About the whole of the arguments.
    #[must_use]
    pub fn whole(why: &str) -> Self {
        Self { pointer: String::new(), message: why.to_owned() }
    }

    pub(crate) fn at(pointer: &str, why: &str) -> Self {
        Self { pointer: cut(pointer), message: cut(why) }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.pointer.is_empty() { "the arguments" } else { &self.pointer };
        write!(f, "{place}: {}", self.message)
    }
}

/// A value of another type than its schema wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongType {
    pub(crate) pointer: String,
    pub(crate) wanted: Vec<JsonType>,
}

/// What `error` says about types, also within `anyOf` and `oneOf` of the same value: there, of all the branches.
pub(super) fn wrong_types(error: &ValidationError<'_>) -> Vec<WrongType> {
    let pointer = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::Type { kind } => vec![WrongType { pointer, wanted: wanted(kind) }],
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            // Only where each branch wants another type of this very value: any other complaint is no matter of types.
            let mut all = Vec::new();
            for branch in context {
                let [only] = branch.as_slice() else { return Vec::new() };
                match only.kind() {
                    ValidationErrorKind::Type { kind } if only.instance_path().to_string() == pointer => {
                        all.extend(wanted(kind));
                    }
                    _ => return Vec::new(),
                }
            }
            vec![WrongType { pointer, wanted: all }]
        }
        _ => Vec::new(),
    }
}

fn wanted(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(set) => set.iter().collect(),
    }
}

/// At most so many characters of `text`.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
