//! A request as routes see it: who asks, the parts of its path and query, its body.

use std::collections::HashMap;

use omni_hub::{Administration, Page};
use omni_types::Principal;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use crate::admin::problem::Problem;

/// Rows of a page that names no number.
pub(crate) const LIMIT_DEFAULT: i64 = 100;
/// Rows of a page at most.
pub(crate) const LIMIT_MAX: i64 = 1_000;

/// A wish that the configuration be read again; the answer says what came of it.
pub type ReloadRequest = oneshot::Sender<Result<Reloaded, String>>;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reloaded {
    /// Whether anything in it was new.
    pub changed: bool,
    /// What of that takes effect only when the hub is started again: names of settings.
    pub restart: Vec<String>,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) administration: &'a Administration,
    /// Takes wishes to read the configuration again.
    pub(crate) reload: Option<&'a mpsc::Sender<ReloadRequest>>,
    /// Makes the OpenAPI text.
    pub(crate) openapi: fn() -> String,
    /// Who asks.
    pub(crate) by: &'a Principal,
    /// What stands in the path where the route has `{…}`.
    pub(crate) named: String,
    pub(crate) query: HashMap<String, String>,
    pub(crate) body: &'a [u8],
}

impl Ask<'_> {
    /// The body, which has to be as the route wants it.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        // Members may be read by their order in an array as well: no text says so, and nobody would mean it.
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::invalid("the body: not a JSON object".to_owned()));
        }
        serde_json::from_slice(self.body).map_err(|error| Problem::invalid(format!("the body: {error}")))
    }

    /// The same, where none at all is as good as an empty one.
    pub(crate) fn body_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { Ok(T::default()) } else { self.body() }
    }

    /// Which part of a list is wanted.
    pub(crate) fn page(&self) -> Result<Page, Problem> {
        let limit = match self.query.get("limit") {
            None => LIMIT_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit) && text.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| Problem::invalid(format!("`limit` is a number from 1 to {LIMIT_MAX}")))?,
        };
        let after = self.query.get("cursor").map(|cursor| {
            let (at, id) = cursor.split_once('.')?;
            let right = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric());
            right.then(|| at.parse().ok().map(|at| (at, id.to_owned()))).flatten()
        });
        match after {
            Some(None) => Err(Problem::invalid("`cursor` is none that this list gave: begin without one")),
            after => Ok(Page { after: after.flatten(), limit }),
        }
    }
}

/// The cursor of the page after one that ended with this row, when it was full.
pub(crate) fn next_cursor(page: &Page, rows: usize, last: Option<(i64, &str)>) -> Option<String> {
    let full = i64::try_from(rows).is_ok_and(|rows| rows >= page.limit);
    last.filter(|_| full).map(|(at, id)| format!("{at}.{id}"))
}

/// The parts of a query. Of a name that stands twice nobody could say which is meant.
pub(crate) fn query(text: Option<&str>, known: &[&str]) -> Result<HashMap<String, String>, Problem> {
    let mut all = HashMap::new();
    for part in text.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let bad = || Problem::invalid("the query is not written as `name=value`, percent-encoded UTF-8");
        let (name, value) = (decoded(name).ok_or_else(bad)?, decoded(value).ok_or_else(bad)?);
        if !known.contains(&name.as_str()) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Problem::invalid(format!("`{name}` is no parameter here; there are: {known}")));
        }
        if all.insert(name.clone(), value).is_some() {
            return Err(Problem::invalid(format!("`{name}` stands twice")));
        }
    }
    Ok(all)
}

/// Percent-decoded text.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let (high, low) = (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{decoded, query};

    #[test]
    fn a_query_is_read_one_way_only() {
        assert_eq!(query(Some("limit=5&cursor=1.a"), &["limit", "cursor"]).unwrap()["cursor"], "1.a");
        assert!(query(None, &[]).unwrap().is_empty());
        for wrong in ["limit=1&limit=2", "other=1", "limit=%zz", "limit=%ff", "limit=%", "lim%69t=1&limit=2"] {
            assert!(query(Some(wrong), &["limit"]).is_err(), "{wrong}");
        }
        assert_eq!(decoded("a%2Fb+c").as_deref(), Some("a/b+c"));
    }
}
