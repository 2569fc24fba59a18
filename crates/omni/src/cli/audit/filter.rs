//! The conditions that the commands share.

use anyhow::{Context as _, Result, bail};
use clap::Args;
use omni_audit::query::{Query, Term, parse_instant};
use omni_audit::{Class, FIELDS};

use crate::cli::when::{now, span};

/// Microseconds of a second.
const SECOND_US: i64 = 1_000_000;

/// Which events are meant. Conditions on one field are alternatives; those on different fields must all be met.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Filter {
    /// Conditions on any field: FIELD=VALUE, FIELD!=VALUE, FIELD=BEGINNING*.
    #[arg(value_name = "CONDITION")]
    conditions: Vec<String>,
    /// Who: a name (`ann`), or how they are known and their name (`key:ci`).
    #[arg(long, value_name = "WHO")]
    who: Vec<String>,
    /// What: an action, a tool or other resource, or a server.
    #[arg(long, value_name = "WHAT")]
    what: Vec<String>,
    /// The kind of event: authentication, decision, call, approval, secret, profile, configuration, administration, log.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// The action, such as `tools/call`.
    #[arg(long, value_name = "ACTION")]
    action: Vec<String>,
    /// The server.
    #[arg(long, value_name = "NAME")]
    server: Vec<String>,
    /// The tool, prompt, URI or key.
    #[arg(long, value_name = "NAME")]
    resource: Vec<String>,
    /// How it ended: success, denied, failed, cancelled.
    #[arg(long, value_name = "OUTCOME")]
    outcome: Vec<String>,
    /// The trace id that log lines and the error's data carry.
    #[arg(long, value_name = "ID")]
    trace: Vec<String>,
    /// From so long ago on: `2h`, `7d`.
    #[arg(long, value_name = "SPAN", conflicts_with = "from")]
    since: Option<String>,
    /// From this time on: `2026-11-22`, `2026-11-22T18:00Z`.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Filter {
    /// The query that is meant.
    pub(crate) fn query(&self) -> Result<Query> {
        let mut query = Query::parse(self.conditions.iter().map(String::as_str))?;
        for (field, values) in [
            ("who", &self.who),
            ("what", &self.what),
            ("kind", &self.kind),
            ("action", &self.action),
            ("server", &self.server),
            ("resource", &self.resource),
            ("outcome", &self.outcome),
            ("trace", &self.trace),
        ] {
            for value in values {
                query.add(Term::on(field, value)?)?;
            }
        }
        for term in query.terms() {
            if !known(&term.field) {
                bail!("events have no field `{}`; they have who, what, {}", term.field, names().join(", "));
            }
        }
        query.from_us = match (&self.since, &self.from) {
            (Some(since), _) => {
                let span = span(since).map_err(|why| anyhow::anyhow!("--since: {why}"))?;
                Some((now() - span).saturating_mul(SECOND_US))
            }
            (None, from) => time("--from", from.as_deref())?,
        };
        query.until_us = time("--to", self.to.as_deref())?;
        if let (Some(from), Some(until)) = (query.from_us, query.until_us)
            && from >= until
        {
            bail!("nothing lies between the two times: --to has to be later");
        }
        Ok(query)
    }
}

/// Fields of the schema, their short names, and what the log says of itself.
fn known(field: &str) -> bool {
    ["who", "what", "resource", "trace"].contains(&field) || field.starts_with("log.") || names().contains(&field)
}

fn names() -> Vec<&'static str> {
    FIELDS.iter().filter(|spec| spec.class != Class::SecretNever).map(|spec| spec.name).collect()
}

fn time(flag: &str, text: Option<&str>) -> Result<Option<i64>> {
    let Some(text) = text else { return Ok(None) };
    let bad =
        || format!("{flag}: `{text}` is no time: write `2026-11-22`, `2026-11-22T18:00Z` or with an offset, `+02:00`");
    parse_instant(text).with_context(bad).map(Some)
}
