//! Which JSON Schema a schema is written in (2025-11-25, basic, "JSON Schema Usage").

use jsonschema::Draft;
use serde_json::Value;

use crate::schema::error::SchemaError;
use crate::schema::violation::cut;

/// Whether a server's revision says what a schema without `$schema` is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// 2025-11-25 and later: 2020-12 where nothing else is said.
    SaysDefault,
    /// Earlier: 2020-12 where it is one, else draft-07.
    SaysNothing,
}

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    V2020,
    V2019,
    V7,
    V6,
    V4,
}

impl Dialect {
    /// The dialects in which `schema` may be read, best first.
    pub(super) fn of(schema: &Value, age: Age) -> Result<&'static [Self], SchemaError> {
        let said = match schema.get("$schema") {
            None => {
                return Ok(match age {
                    Age::SaysDefault => &[Self::V2020],
                    Age::SaysNothing => &[Self::V2020, Self::V7],
                });
            }
            Some(said) => said.as_str().ok_or_else(|| SchemaError::Dialect("`$schema` must be a string".to_owned()))?,
        };
        let bare = said.trim_end_matches('#');
        let bare = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://")).unwrap_or(bare);
        Ok(match bare {
            "json-schema.org/draft/2020-12/schema" => &[Self::V2020],
            "json-schema.org/draft/2019-09/schema" => &[Self::V2019],
            "json-schema.org/draft-07/schema" => &[Self::V7],
            "json-schema.org/draft-06/schema" => &[Self::V6],
            "json-schema.org/draft-04/schema" => &[Self::V4],
            _ => return Err(SchemaError::Dialect(cut(said))),
        })
    }

    pub(super) const fn draft(self) -> Draft {
        match self {
            Self::V2020 => Draft::Draft202012,
            Self::V2019 => Draft::Draft201909,
            Self::V7 => Draft::Draft7,
            Self::V6 => Draft::Draft6,
            Self::V4 => Draft::Draft4,
        }
    }
}
