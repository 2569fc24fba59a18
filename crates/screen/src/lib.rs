//! What comes in is well formed, and what goes out is fit to leave: schemas of arguments, dangerous characters, answers,
//! errors. Knows messages, and neither servers nor principals.

mod characters;
mod coerce;
mod counts;
mod detect;
mod glob;
mod leaks;
mod linear;
mod mask;
mod message;
#[cfg(test)]
mod message_tests;
mod rules;
mod schema;
mod screen;
pub mod settings;
mod strings;

pub use characters::{CharacterRules, Class, Neutral, dangerous, neutralise};
pub use coerce::coerce;
pub use counts::{Counted, Counts, Odd};
pub use detect::{Finding, Kind, find};
pub use mask::{Mask, NoMask};
pub use message::Withheld;
pub use schema::{Age, Schema, SchemaBounds, SchemaError, Violation};
pub use screen::{Described, Screen, ScreenError};
