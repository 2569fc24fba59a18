//! JSON as clients keep it (byte-order mark, comments, trailing commas), read with spans, so that one member is put in or taken out and
//! every other byte stays.

mod edit;
mod parse;
#[cfg(test)]
mod tests;

pub(crate) use crate::cli::jsonc::edit::{set, unset};
pub(crate) use crate::cli::jsonc::parse::{is_blank, parse};
