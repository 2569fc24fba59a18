//! The fields of events: their names, numbers, classes, forms and bounds, in one table.

use crate::class::Class;
use crate::told::Told;

/// A field with its value, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventField {
    /// Which field.
    pub name: FieldName,
    /// What it holds.
    pub value: FieldValue,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// Text of at most [`FieldSpec::bytes_max`] bytes.
    Text(String),
    /// A number.
    Number(u64),
    /// SHA-256.
    Digest([u8; 32]),
    /// Texts, together of at most [`FieldSpec::bytes_max`] bytes.
    List(Vec<String>),
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for FieldValue {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<String>> for FieldValue {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl From<[u8; 32]> for FieldValue {
    fn from(digest: [u8; 32]) -> Self {
        Self::Digest(digest)
    }
}

/// The form of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// [`FieldValue::Text`].
    Text,
    /// [`FieldValue::Number`].
    Number,
    /// [`FieldValue::Digest`].
    Digest,
    /// [`FieldValue::List`].
    List,
}

impl Form {
    /// The form's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Digest => "sha256",
            Self::List => "list",
        }
    }
}

/// What is known of a field.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Which one.
    pub field: FieldName,
    /// Its name in documents, queries and exports.
    pub name: &'static str,
    /// Its class.
    pub class: Class,
    /// Its form.
    pub form: Form,
    /// Bytes that it may have; longer texts end in `…`.
    pub bytes_max: usize,
    /// What it says.
    pub about: &'static str,
}

macro_rules! fields {
    ($($number:literal $variant:ident $name:literal $class:ident $form:ident $max:literal $about:literal,)*) => {
        /// The fields. The numbers stand in records that are kept for years: none is ever given again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum FieldName {
            $(#[doc = $about] $variant = $number,)*
        }

        /// All fields, in the order of their numbers.
        pub const FIELDS: &[FieldSpec] = &[$(FieldSpec {
            field: FieldName::$variant,
            name: $name,
            class: Class::$class,
            form: Form::$form,
            bytes_max: $max,
            about: $about,
        },)*];
    };
}

fields! {
    1 Kind "kind" Internal Text 32 "What kind of thing happened.",
    2 Action "action" Internal Text 128 "What was done, as policies and the admin API name it.",
    3 Outcome "outcome" Internal Text 16 "How it ended: success, denied, failed, cancelled; pending in a record of a beginning.",
    4 Phase "phase" Internal Text 8 "begun: about to be done; ended: done. Without it the record is the only one of its call.",
    5 Call "call" Internal Text 32 "Joins the records of one call.",
    6 Server "server" Internal Text 32 "The MCP server it was done to.",
    7 Name "name" Internal Text 1024 "The tool, prompt, URI, key or file it was done to.",
    8 Error "error" Internal Text 64 "The kind of fault, where there was one.",
    9 ErrorId "error_id" Internal Text 64 "The id under which the client was told of an error whose text it was not shown.",
    10 Decision "decision" Internal Text 16 "What policy said: allow, deny or approve.",
    11 Policies "policies" Internal List 2048 "The ids of the policies that decided: that allowed it, wanted a person's word, or forbade it.",
    12 DurationUs "duration_us" Internal Number 8 "How long it took, in microseconds.",
    13 TraceId "trace_id" Internal Text 32 "The W3C trace id that log lines and the server's request carry.",
    14 Transport "transport" Internal Text 16 "How it came in: http, sse, websocket, stdio, command, admin.",
    15 Revision "revision" Internal Text 16 "The revision of MCP that the client spoke.",
    16 PrincipalKind "principal_kind" Internal Text 16 "How the caller is known: local, token, key, certificate, anonymous, system.",
    17 Principal "principal" Personal Text 512 "The caller's name: user, subject of a token, id of a key.",
    18 Issuer "issuer" Personal Text 512 "Who vouches for the name.",
    19 Tenant "tenant" Personal Text 256 "The organisation the caller belongs to.",
    20 OauthClient "oauth_client" Personal Text 256 "The program to which the token or key was given.",
    21 Address "address" Personal Text 45 "The address from which the caller spoke.",
    22 Client "client" Personal Text 256 "What the client program says it is.",
    23 Reason "reason" Personal Text 1024 "Why it ended so, in a sentence; it may quote what the caller sent.",
    24 ArgumentsSha256 "arguments_sha256" Personal Digest 32 "SHA-256 of the arguments' bytes as they came; who guesses short arguments can confirm them by it.",
    25 Arguments "arguments" Personal Text 16384 "The arguments as they came; only with audit.arguments: true.",
    26 Note "note" Personal Text 512 "What the person who decided wrote beside it.",
    27 Uid "uid" Personal Number 8 "The operating system's number of the user at the admin socket.",
    28 HubVersion "hub_version" Public Text 32 "The version of the hub that wrote it.",
    29 ConfigSha256 "config_sha256" Internal Digest 32 "SHA-256 of the configuration in force after it.",
    30 Servers "servers" Internal List 4096 "Names of servers that were added, changed or removed: +name, ~name, -name.",
    31 Sections "sections" Internal List 1024 "Sections of the configuration that changed.",
    32 Count "count" Internal Number 8 "How many events it stands for.",
    33 FromUs "from_us" Internal Number 8 "From when, in microseconds since 1970.",
    34 UntilUs "until_us" Internal Number 8 "Until when, in microseconds since 1970.",
    35 Key "key" Internal Text 256 "The public id of a key that was made, rotated or withdrawn.",
    36 Segment "segment" Internal Text 256 "The file of the log that it concerns.",
    37 Secret "secret" Internal Text 512 "The reference of a secret, never its value.",
    38 Profile "profile" Internal Text 256 "The profile that was loaded or applied.",
    39 Credential "credential" SecretNever Text 0 "Tokens, keys, passwords, session ids.",
    40 SecretValue "secret_value" SecretNever Text 0 "What a secret's reference leads to.",
    41 Result "result" SecretNever Text 0 "What a server answered.",
    42 ProfileSha256 "profile_sha256" Internal Digest 32 "SHA-256 of what the profile gives: its text and what it takes away.",
    43 Provider "provider" Internal Text 32 "Who gave a secret: store, env, file, vault.",
}

impl FieldName {
    /// What is known of it.
    #[must_use]
    pub fn spec(self) -> &'static FieldSpec {
        &FIELDS[usize::from(self as u8) - 1]
    }

    /// The field of this number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        FIELDS.get(usize::from(number).checked_sub(1)?).map(|spec| spec.field)
    }

    /// Its number in records.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The field called `name`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        FIELDS.iter().find(|spec| spec.name == name).map(|spec| spec.field)
    }

    /// Its name in documents, queries and exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.spec().name
    }

    /// Its class.
    #[must_use]
    pub fn class(self) -> Class {
        self.spec().class
    }
}

impl EventField {
    /// A field, its value cut to what the field may hold; `None` where it may hold nothing, or nothing of this form.
    #[must_use]
    pub fn new(name: FieldName, value: impl Into<FieldValue>) -> Option<Self> {
        let value = value.into();
        let (spec, told, mut field) = (name.spec(), value.told(), None);
        if spec.takes(told) {
            spec.within(told, |value| field = Some(Self { name, value: value.into() }));
        }
        field
    }
}

impl From<Told<'_>> for FieldValue {
    fn from(value: Told<'_>) -> Self {
        match value {
            Told::Text(text) => Self::Text(text.to_owned()),
            Told::Number(number) => Self::Number(number),
            Told::Digest(digest) => Self::Digest(*digest),
            Told::List(list) => Self::List(list.to_vec()),
        }
    }
}

impl FieldValue {
    pub(crate) fn told(&self) -> Told<'_> {
        match self {
            Self::Text(text) => Told::Text(text),
            Self::Number(number) => Told::Number(*number),
            Self::Digest(digest) => Told::Digest(digest),
            Self::List(list) => Told::List(list),
        }
    }
}

impl FieldSpec {
    /// Whether the field may hold anything, and a value of this form.
    pub(crate) fn takes(&self, value: Told<'_>) -> bool {
        let form = match value {
            Told::Text(_) => Form::Text,
            Told::Number(_) => Form::Number,
            Told::Digest(_) => Form::Digest,
            Told::List(_) => Form::List,
        };
        self.class != Class::SecretNever && self.form == form
    }

    /// Hands on the value, cut to what the field may hold.
    pub(crate) fn within(&self, value: Told<'_>, take: impl FnOnce(Told<'_>)) {
        match value {
            Told::Text(text) if text.len() > self.bytes_max => take(Told::Text(&cut(text.to_owned(), self.bytes_max))),
            Told::List(list)
                if list.iter().map(|text| text.len() + LIST_FRAME).sum::<usize>() > list_room(self.bytes_max) =>
            {
                take(Told::List(&cut_list(list.to_vec(), self.bytes_max)));
            }
            _ => take(value),
        }
    }
}

/// What stands for the rest of a text.
const MORE: char = '…';

fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let mut end = bytes_max.saturating_sub(MORE.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push(MORE);
    }
    text
}

/// What each text of a list costs beside itself, so that many empty ones cannot pass.
const LIST_FRAME: usize = 4;

const fn list_room(bytes_max: usize) -> usize {
    bytes_max.saturating_sub(MORE.len_utf8() + LIST_FRAME)
}

fn cut_list(list: Vec<String>, bytes_max: usize) -> Vec<String> {
    let mut left = list_room(bytes_max);
    let mut kept = Vec::new();
    for text in list {
        let Some(rest) = left.checked_sub(text.len() + LIST_FRAME) else {
            kept.push(MORE.to_string());
            break;
        };
        left = rest;
        kept.push(text);
    }
    kept
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{EventField, FIELDS, FieldName, FieldValue};
    use crate::class::Class;

    #[test]
    fn ret_1_numbers_are_places_in_the_table() {
        for (at, spec) in FIELDS.iter().enumerate() {
            assert_eq!(usize::from(spec.field.number()), at + 1, "{}", spec.name);
            assert_eq!(FieldName::of_number(spec.field.number()), Some(spec.field));
            assert_eq!(FieldName::of_name(spec.name), Some(spec.field));
        }
        assert_eq!(FieldName::of_number(0), None);
    }

    #[test]
    fn shb_4_a_secret_is_never_a_field() {
        for spec in FIELDS.iter().filter(|spec| spec.class == Class::SecretNever) {
            assert_eq!(EventField::new(spec.field, "x"), None, "{}", spec.name);
        }
    }

    #[test]
    fn a_record_with_every_field_full_fits_65535_bytes() {
        // Number, form and length of each, and room for the header, two tags and two nonces.
        let bytes: usize = FIELDS.iter().map(|spec| spec.bytes_max + 8).sum();
        assert!(bytes + 1_024 < 65_535, "{bytes}");
    }

    #[test]
    fn long_texts_end_in_dots_and_between_characters() {
        let field = EventField::new(FieldName::Transport, "üüüüüüüüüüüüüüüü").unwrap();
        assert_eq!(field.value, FieldValue::Text("üüüüüü…".to_owned()));
        let many = EventField::new(FieldName::Policies, vec!["x".repeat(500); 9]).unwrap();
        let FieldValue::List(list) = many.value else { panic!("a list") };
        assert_eq!((list.len(), list.last().map(String::as_str)), (5, Some("…")));
        assert_eq!(EventField::new(FieldName::Count, "many"), None);
    }
}
