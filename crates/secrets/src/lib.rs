//! The Secret Manager: references to secrets, and the values that they stand for, kept out of every file, log and answer.

mod chain;
mod circuit;
mod counts;
mod error;
mod fault;
mod field;
mod forms;
mod grants;
mod held;
mod judge;
mod keychain;
mod known;
mod local;
mod providers;
mod redact;
mod reference;
mod requester;
mod resolver;
mod seal;
pub mod settings;
mod slot;
mod template;

pub use counts::ProviderCounts;
pub use error::{SecretError, TemplateError};
pub use field::field_of;
pub use held::{Held, VALUE_BYTES_MAX};
pub use judge::Judge;
pub use keychain::Keychain;
pub use known::MASKED_BYTES_MIN;
pub use local::{
    Entry, KeptBy, LocalStore, NAME_BYTES_MAX, PASSPHRASE_FILE, SECRETS_MAX, StoreError, Unlock, name_fault,
};
pub use providers::Around;
pub use redact::Redactor;
pub use reference::{REFERENCE_BYTES_MAX, Reference, Source};
pub use requester::Requester;
pub use resolver::Resolver;
pub use template::{Part, REFERENCES_MAX, TEXT_BYTES_MAX, Template};
