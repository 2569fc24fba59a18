//! One state of what is masked: an automaton over how the forms of values begin, and the forms themselves to compare with.
//!
//! The automaton holds the first bytes of each form alone: it stays small enough for the processor's cache whatever the length of
//! the values, and the memory that it leaves behind unwiped holds no value.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};
use tokio::time::Instant;

use crate::forms::{Form, written};
use crate::held::Held;

/// Shorter values are not masked: they stand in texts by chance.
pub const MASKED_BYTES_MIN: usize = 6;
/// Values that are masked at a time.
const VALUES_MAX: usize = 1_000;
/// Bytes of all forms together.
const FORMS_BYTES_MAX: usize = 64 << 20;
/// Different beginnings of forms.
const BEGINS_MAX: usize = 100_000;
/// Bytes of a form that the automaton knows.
const BEGIN_BYTES: usize = 8;
/// Up to so many beginnings the quicker automaton is small enough (7 MB).
const QUICK_MAX: usize = 2_000;

/// What is masked now.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) values: Vec<Value>,
    /// `None` while there are no values.
    begins: Option<AhoCorasick>,
    /// The forms that begin so, the longest first: the value, and which of its forms.
    of: Vec<Vec<(usize, usize)>>,
}

/// The forms hold values, so nothing of them is shown.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({} values)", self.values.len())
    }
}

/// One value.
#[derive(Clone)]
pub(crate) struct Value {
    pub(crate) name: Arc<str>,
    pub(crate) held: Held,
    forms: Arc<Vec<Form>>,
    /// When somebody had it last.
    since: Arc<Mutex<Instant>>,
}

impl Value {
    pub(crate) fn new(name: &str, held: &Held) -> Self {
        // What stands in for the value goes into JSON texts as it is.
        let plain = |c: char| if c.is_control() || c == '"' || c == '\\' { '_' } else { c };
        let name: String = name.chars().map(plain).collect();
        let mut forms = written(held.expose());
        forms.retain(|form| form.len() >= MASKED_BYTES_MIN);
        let since = Arc::new(Mutex::new(Instant::now()));
        Self { name: name.into(), held: held.clone(), forms: Arc::new(forms), since }
    }

    pub(crate) fn is_had(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(crate) fn had_since(&self) -> Instant {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The state in which `values` are masked; `Err` says why they cannot all be.
    pub(crate) fn of(values: Vec<Value>) -> Result<Self, String> {
        if values.len() > VALUES_MAX {
            return Err(format!("{VALUES_MAX} values are masked at a time, and so many are in use"));
        }
        if values.iter().flat_map(|value| value.forms.iter()).map(|form| form.len()).sum::<usize>() > FORMS_BYTES_MAX {
            return Err(format!(
                "the values in use have more than {FORMS_BYTES_MAX} bytes in all the forms looked for"
            ));
        }
        let mut begins: BTreeMap<&[u8], Vec<(usize, usize)>> = BTreeMap::new();
        for (value_at, value) in values.iter().enumerate() {
            for (form_at, form) in value.forms.iter().enumerate() {
                begins.entry(begin(form)).or_default().push((value_at, form_at));
            }
        }
        if begins.len() > BEGINS_MAX {
            return Err(format!("the values in use begin in more than {BEGINS_MAX} ways"));
        }
        let of = begins.keys().map(|key| candidates(&values, &begins, key)).collect();
        let kind = (begins.len() <= QUICK_MAX).then_some(AhoCorasickKind::DFA);
        // Longest first: where a longer beginning is found, those that it begins with are among its candidates.
        let mut builder = AhoCorasick::builder();
        let built = builder.match_kind(MatchKind::LeftmostLongest).kind(kind).build(begins.keys());
        let automaton = built.map_err(|error| format!("what finds the values in use cannot be made: {error}"))?;
        let automaton = (!begins.is_empty()).then_some(automaton);
        Ok(Self { values, begins: automaton, of })
    }

    /// Whether anything is masked.
    pub(crate) const fn is_empty(&self) -> bool {
        self.begins.is_none()
    }

    /// Where the first value stands in `bytes` at or after `from`, and which it is. Of a value and one that it begins with, the
    /// longer one is meant.
    pub(crate) fn next(&self, bytes: &[u8], mut from: usize) -> Option<(Range<usize>, &Value)> {
        let begins = self.begins.as_ref()?;
        while from < bytes.len() {
            let found = begins.find(Input::new(bytes).range(from..))?;
            let rest = &bytes[found.start()..];
            for (value_at, form_at) in &self.of[found.pattern().as_usize()] {
                let value = &self.values[*value_at];
                let form = &value.forms[*form_at];
                if rest.starts_with(form) {
                    return Some((found.start()..found.start() + form.len(), value));
                }
            }
            from = found.start() + 1;
        }
        None
    }
}

fn begin(form: &[u8]) -> &[u8] {
    &form[..form.len().min(BEGIN_BYTES)]
}

/// The forms that may stand where `key` is found: those that begin with it, and whole ones with which it begins.
fn candidates(values: &[Value], begins: &BTreeMap<&[u8], Vec<(usize, usize)>>, key: &[u8]) -> Vec<(usize, usize)> {
    let shorter = (MASKED_BYTES_MIN..key.len()).filter_map(|length| begins.get(&key[..length]));
    let mut all: Vec<(usize, usize)> = shorter.chain(begins.get(key)).flatten().copied().collect();
    all.sort_by_key(|(value, form)| std::cmp::Reverse(values[*value].forms[*form].len()));
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Known, Value};
    use crate::held::Held;

    #[test]
    fn sec_5_so_many_values_are_masked_and_no_more() {
        let value = |n: usize| Value::new("v", &Held::new(format!("value-{n}")));
        let known = Known::of((0..1_000).map(value).collect()).unwrap();
        assert_eq!(known.next(b"a value-999b", 0).unwrap().0, 2..11, "the longest that stands there");
        assert_eq!(known.next(b"a value-b value-7", 0).unwrap().0, 10..17);
        assert!(known.next(b"a value-", 0).is_none());
        assert!(Known::of((0..1_001).map(value).collect()).unwrap_err().contains("1000 values"));
    }

    #[test]
    fn sec_5_a_short_value_is_found_where_a_longer_one_only_begins() {
        let values = ["secret", "secret-and-more"].map(|text| Value::new(text, &Held::new(text.to_owned())));
        let known = Known::of(values.into()).unwrap();
        assert_eq!(known.next(b"x secret-and-mor", 0).unwrap().0, 2..8);
        assert_eq!(known.next(b"x secret-and-more", 0).unwrap().0, 2..17);
    }
}
