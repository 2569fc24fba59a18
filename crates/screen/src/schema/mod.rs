//! A tool's schema, compiled once within bounds, and what it says of arguments (rows VAL-1 and VAL-3).

mod bounds;
mod compile;
mod dialect;
mod error;
mod names;
mod places;
mod violation;
mod weight;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;

pub use bounds::SchemaBounds;
pub use compile::Schema;
pub use dialect::Age;
pub use error::SchemaError;
pub use violation::Violation;
