//! The Secret Manager: references to secrets, and the values that they stand for, kept out of every file, log and answer.

mod error;
mod field;
mod held;
mod reference;
mod requester;
mod template;

pub use error::{SecretError, TemplateError};
pub use field::field_of;
pub use held::{Held, VALUE_BYTES_MAX};
pub use reference::{REFERENCE_BYTES_MAX, Reference, Source};
pub use requester::Requester;
pub use template::{Part, REFERENCES_MAX, TEXT_BYTES_MAX, Template};
