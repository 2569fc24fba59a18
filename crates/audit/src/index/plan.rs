//! Which records of a segment a query has to look at.

use crate::index::file::{Index, IndexError, ReadAt};
use crate::index::key::{IndexKey, Tag};
use crate::index::postings::{both, either};
use crate::query::{Fields, Pattern, Query, fields_of};

/// The fields that records are found by. Others are compared record by record.
pub const INDEXED: &[&str] = &["kind", "action", "outcome", "server", "name", "principal", "who", "trace_id", "call"];
/// Longer names of indexed fields have shorter ones in queries.
const SHORT: &[(&str, &str)] = &[("resource", "name"), ("trace", "trace_id")];

/// The tags of an event: one for each indexed field that it has.
pub fn tags_of<'a>(key: &'a IndexKey, event: &'a impl Fields) -> impl Iterator<Item = Tag> + 'a {
    INDEXED.iter().filter_map(|field| event.field(field).map(|text| key.tag(field, text.as_bytes())))
}

/// The records, as places in the segment, that can be what a query asks for; `None` where the index cannot tell and all can.
/// Every one is still to be read and compared.
pub fn candidates<R: ReadAt>(index: &Index<R>, query: &Query) -> Result<Option<Vec<u32>>, IndexError> {
    let mut found: Option<Vec<u32>> = None;
    for (field, wanted) in query.wanted() {
        let Some(texts) = exact(&wanted.one_of) else { continue };
        let fields = fields_of(&field).iter().map(|field| named(field)).collect::<Option<Vec<_>>>();
        let Some(fields) = fields else { continue };
        let mut any = Vec::new();
        for (field, text) in fields.iter().flat_map(|field| texts.iter().map(move |text| (field, text))) {
            any = either(&any, &index.places(index.key().tag(field, text.as_bytes()))?);
        }
        let all = found.map_or_else(|| any.clone(), |found| both(&found, &any));
        if all.is_empty() {
            return Ok(Some(all));
        }
        found = Some(all);
    }
    Ok(found)
}

/// The texts of these patterns, where there are some and each is one text.
fn exact<'a>(patterns: &[&'a Pattern]) -> Option<Vec<&'a str>> {
    let texts = patterns.iter().map(|pattern| match pattern {
        Pattern::Exact(text) => Some(text.as_str()),
        Pattern::Prefix(_) => None,
    });
    texts.collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())
}

fn named(field: &str) -> Option<&'static str> {
    let field = SHORT.iter().find(|(short, _)| *short == field).map_or(field, |(_, field)| field);
    INDEXED.iter().find(|indexed| **indexed == field).copied()
}
