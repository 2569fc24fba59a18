//! Why a schema cannot be used.

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is larger, deeper or has more parts than is checked.
    #[error("the schema is out of bounds: {0}")]
    Bounds(String),
    /// It is no JSON, no object, or no schema of its dialect.
    #[error("the schema is not valid: {0}")]
    Invalid(String),
    /// Its `$schema` names a dialect that the hub does not know.
    #[error("the schema's dialect is not supported: {0}")]
    Dialect(String),
    /// It points to another document, which the hub never fetches.
    #[error("the schema refers to something outside of itself: {0}")]
    Remote(String),
}
