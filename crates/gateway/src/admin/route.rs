//! What a route is: a line of the table from which requests are answered and the OpenAPI text is made.

use std::pin::Pin;

use omni_hub::Action;
use schemars::{Schema, SchemaGenerator};

use crate::admin::problem::Problem;
use crate::admin::reply::Done;
use crate::admin::request::Ask;

/// Where the API begins.
pub(crate) const BASE: &str = "/admin/v1";

/// A route's answer on its way.
pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Done, Problem>> + Send + 'a>>;
/// The schema of a body.
pub(crate) type Body = fn(&mut SchemaGenerator) -> Schema;

/// The methods that routes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Delete,
}

impl Verb {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// A route.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: Verb,
    /// Its path below `/admin/v1`, with at most one `{…}`.
    pub(crate) path: &'static str,
    /// Its name in the OpenAPI text and, with a slash for the dash, in the audit log.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// Parameters of the query.
    pub(crate) query: &'static [Param],
    pub(crate) request: Option<Body>,
    /// The body may be left out.
    pub(crate) request_optional: bool,
    pub(crate) status: u16,
    pub(crate) response: Option<Body>,
    /// Statuses of problems beside those that every route has.
    pub(crate) problems: &'static [u16],
    /// What policies call it, where somebody comes over the network.
    pub(crate) action: Action,
    pub(crate) run: for<'a> fn(Ask<'a>) -> Answering<'a>,
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// JSON text of its schema.
    pub(crate) schema: &'static str,
}

/// Which part of a list is wanted.
pub(crate) const PAGE: &[Param] = &[
    Param {
        name: "limit",
        what: "Rows of the page; 100 where it is not said.",
        schema: r#"{"type":"integer","minimum":1,"maximum":1000}"#,
    },
    Param {
        name: "cursor",
        what: "`next_cursor` of the page before; without it the list begins.",
        schema: r#"{"type":"string","pattern":"^-?[0-9]{1,18}\\.[0-9A-Za-z]{1,64}$"}"#,
    },
];

/// A route that reads: the rest is filled in with `..`.
pub(crate) const fn reads(
    path: &'static str,
    id: &'static str,
    run: for<'a> fn(Ask<'a>) -> Answering<'a>,
    response: Body,
) -> Route {
    Route {
        method: Verb::Get,
        path,
        id,
        summary: "",
        query: &[],
        request: None,
        request_optional: false,
        status: 200,
        response: Some(response),
        problems: &[],
        action: Action::AdminRead,
        run,
    }
}

impl Route {
    /// What stands at `{…}`, when `path` (below `/admin/v1`) is this route's.
    pub(crate) fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut named = "";
        let (mut mine, mut theirs) = (self.path.split('/'), path.split('/'));
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) => return Some(named),
                (Some(pattern), Some(part)) if pattern.starts_with('{') && !part.is_empty() => named = part,
                (Some(pattern), Some(part)) if pattern == part => {}
                _ => return None,
            }
        }
    }

    /// Whether it changes anything; then it is audited.
    pub(crate) fn changes(&self) -> bool {
        self.method != Verb::Get
    }
}
