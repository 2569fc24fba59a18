//! What is asked of the log: conditions on fields, and a range of time.

mod instant;
mod term;

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use instant::{day, instant, parse_instant};
pub use term::{Pattern, Term, TermError};

/// Conditions of one query; further ones are refused by [`Query::parse`].
pub const TERMS_MAX: usize = 64;
/// Stands for several fields: it is met when one of them meets it.
const ANY_OF: &[(&str, &[&str])] = &[("what", &["action", "name", "server"]), ("who", &["who", "principal"])];

/// The fields that a name in a query stands for.
pub(crate) fn fields_of<'a>(name: &'a &'a str) -> &'a [&'a str] {
    ANY_OF.iter().find(|(any, _)| any == name).map_or(std::slice::from_ref(name), |(_, all)| all)
}

/// What is asked of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
    /// From this time on (microseconds since 1970, UTC).
    pub from_us: Option<i64>,
    /// Before this time.
    pub until_us: Option<i64>,
}

/// Why a query cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// One of its conditions cannot be read.
    #[error(transparent)]
    Term(#[from] TermError),
    /// It has too many.
    #[error("a query has at most {TERMS_MAX} conditions")]
    Terms,
}

/// An event, as a query looks at it.
pub trait Fields {
    /// When it was (microseconds since 1970, UTC).
    fn time_us(&self) -> i64;
    /// What a field says; `None` where it has none, or nobody can read it any more.
    fn field(&self, name: &str) -> Option<Cow<'_, str>>;
}

/// What a field has to be: one of `one_of` (where there are any), and none of `none_of`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    pub(crate) one_of: Vec<&'a Pattern>,
    none_of: Vec<&'a Pattern>,
}

impl Query {
    /// Reads conditions. Those on one field are alternatives, those on different fields must all be met.
    pub fn parse<'a>(terms: impl IntoIterator<Item = &'a str>) -> Result<Self, QueryError> {
        let mut query = Self::default();
        for text in terms {
            query.add(Term::parse(text)?)?;
        }
        Ok(query)
    }

    /// Adds a condition.
    pub fn add(&mut self, term: Term) -> Result<(), QueryError> {
        if self.terms.len() == TERMS_MAX {
            return Err(QueryError::Terms);
        }
        self.terms.push(term);
        Ok(())
    }

    /// Its conditions.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether a time is in its range.
    #[must_use]
    pub fn covers(&self, at_us: i64) -> bool {
        self.from_us.is_none_or(|from| at_us >= from) && self.until_us.is_none_or(|until| at_us < until)
    }

    /// Whether some time from `first` to `last` is in its range.
    #[must_use]
    pub fn overlaps(&self, first_us: i64, last_us: i64) -> bool {
        self.from_us.is_none_or(|from| last_us >= from) && self.until_us.is_none_or(|until| first_us < until)
    }

    /// Whether an event is asked for.
    pub fn matches(&self, event: &impl Fields) -> bool {
        self.covers(event.time_us()) && self.wanted().iter().all(|(field, wanted)| wanted.met(field, event))
    }

    /// What each field has to be.
    pub(crate) fn wanted(&self) -> BTreeMap<&str, Wanted<'_>> {
        let mut wanted: BTreeMap<&str, Wanted<'_>> = BTreeMap::new();
        for term in &self.terms {
            let of = wanted.entry(&term.field).or_default();
            if term.negated { of.none_of.push(&term.pattern) } else { of.one_of.push(&term.pattern) }
        }
        wanted
    }
}

impl Wanted<'_> {
    /// Whether the event's field is as it has to be. A field that an event does not have is like none that is named, so
    /// `who!=ann` also finds events of nobody.
    fn met(&self, field: &str, event: &impl Fields) -> bool {
        let names =
            ANY_OF.iter().find(|(name, _)| *name == field).map_or(std::slice::from_ref(&field), |(_, all)| *all);
        let any = |patterns: &[&Pattern]| {
            names.iter().filter_map(|name| event.field(name)).any(|text| patterns.iter().any(|p| p.matches(&text)))
        };
        (self.one_of.is_empty() || any(&self.one_of)) && !any(&self.none_of)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::borrow::Cow;

    use super::{Fields, Query, QueryError, TERMS_MAX};

    struct Call(i64, &'static [(&'static str, &'static str)]);

    impl Fields for Call {
        fn time_us(&self) -> i64 {
            self.0
        }

        fn field(&self, name: &str) -> Option<Cow<'_, str>> {
            self.1.iter().find(|(field, _)| *field == name).map(|(_, text)| Cow::Borrowed(*text))
        }
    }

    const CALL: Call = Call(
        50,
        &[("who", "ann"), ("action", "tools/call"), ("server", "git"), ("name", "git_commit"), ("outcome", "denied")],
    );

    #[test]
    fn diag_3_one_field_is_an_alternative_and_two_are_both() {
        let asked = |terms: &[&str]| Query::parse(terms.iter().copied()).unwrap().matches(&CALL);
        assert!(asked(&[]));
        assert!(asked(&["who=bob", "who=ann", "outcome=denied"]));
        assert!(!asked(&["who=ann", "outcome=success"]));
        assert!(asked(&["name=git_*", "who!=bob"]));
        assert!(!asked(&["name=git_*", "who!=a*"]));
        assert!(asked(&["trace!=x"]) && !asked(&["trace=x"]) && !asked(&["trace=*"]) && asked(&["who=*"]));
        assert!(
            asked(&["what=git"]) && asked(&["what=git_commit"]) && asked(&["what=tools/*"]) && !asked(&["what=ann"])
        );
        assert!(!asked(&["what!=git"]));
    }

    #[test]
    fn a_range_of_time_holds_its_beginning_and_not_its_end() {
        let between = |from, until| Query { from_us: from, until_us: until, ..Query::default() };
        assert!(between(Some(50), Some(51)).matches(&CALL));
        assert!(!between(Some(51), None).matches(&CALL) && !between(None, Some(50)).matches(&CALL));
        assert!(between(Some(50), Some(51)).overlaps(0, 50) && between(Some(50), Some(51)).overlaps(50, 99));
        assert!(!between(Some(50), None).overlaps(0, 49) && !between(None, Some(50)).overlaps(50, 99));
    }

    #[test]
    fn there_is_a_bound_on_conditions() {
        let terms = vec!["who=ann"; TERMS_MAX + 1];
        assert_eq!(Query::parse(terms), Err(QueryError::Terms));
    }
}
