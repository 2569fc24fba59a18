//! What comes in is well formed, and what goes out is fit to leave: schemas of arguments, dangerous characters, answers,
//! errors. Knows messages, and neither servers nor principals.

mod coerce;
mod glob;
mod linear;
mod rules;
mod schema;
mod screen;
pub mod settings;

pub use coerce::coerce;
pub use schema::{Age, Schema, SchemaBounds, SchemaError, Violation};
pub use screen::{Screen, ScreenError};
