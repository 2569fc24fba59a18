//! Values in use, found again wherever text leaves: as they are, and as JSON, URLs, Base64 and hexadecimal write them.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use tokio::time::Instant;

use crate::held::Held;

/// Shorter values are not masked: they stand in texts by chance.
pub const MASKED_BYTES_MIN: usize = 6;
/// Values that are masked at a time; the oldest goes.
const VALUES_MAX: usize = 1_000;
/// Bytes of one written form of a value; of longer ones the beginning is looked for.
const FORM_BYTES_MAX: usize = 4_096;

/// Finds values that were given out. What is found is told by the secret's name.
#[derive(Debug, Default)]
pub struct Redactor {
    known: RwLock<Arc<Known>>,
}

#[derive(Default)]
struct Known {
    values: Vec<Value>,
    /// `None` while there are no values.
    forms: Option<AhoCorasick>,
    /// Which value each form is of.
    of: Vec<usize>,
}

/// The forms hold values, so nothing of them is shown.
impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({} values)", self.values.len())
    }
}

#[derive(Clone)]
struct Value {
    name: Arc<str>,
    held: Held,
    /// When somebody had it last.
    since: Arc<Mutex<Instant>>,
}

impl Redactor {
    /// From now on the value is masked.
    pub fn learn(&self, name: &str, held: &Held) {
        if held.expose().len() < MASKED_BYTES_MIN {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = known.values.iter().find(|value| value.held.expose() == held.expose()) {
            value.is_had();
            return;
        }
        let mut values = known.values.clone();
        if values.len() >= VALUES_MAX {
            values.remove(0);
        }
        values.push(Value { name: name.into(), held: held.clone(), since: Arc::new(Mutex::new(Instant::now())) });
        *known = Arc::new(Known::of(values));
    }

    /// Lets go of values that were given to nobody and `in_use` nowhere for `age`: a process that ends may still tell of one.
    pub fn retain(&self, age: Duration, in_use: &dyn Fn(&Held) -> bool) {
        let now = self.now();
        now.values.iter().filter(|value| in_use(&value.held)).for_each(Value::is_had);
        let stays = |value: &Value| value.had_since().elapsed() < age || in_use(&value.held);
        if now.values.iter().all(stays) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let values = known.values.iter().filter(|value| stays(value)).cloned().collect();
        *known = Arc::new(Known::of(values));
    }

    /// Whether the bytes could hold one; `false` is sure.
    #[must_use]
    pub fn might_hold(&self, bytes: &[u8]) -> bool {
        self.now().forms.as_ref().is_some_and(|forms| forms.is_match(bytes) || has_own_escapes(bytes))
    }

    /// Where values stand in `text`, and the names of their secrets.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<(Range<usize>, Arc<str>)> {
        let known = self.now();
        let Some(forms) = &known.forms else { return Vec::new() };
        let found = forms.find_iter(text).filter_map(|found| {
            // A value of whole characters may begin or end within one only where the text is not its own.
            let range = found.range();
            let whole = text.is_char_boundary(range.start) && text.is_char_boundary(range.end);
            whole.then(|| (range, Arc::clone(&known.values[known.of[found.pattern().as_usize()]].name)))
        });
        found.collect()
    }

    /// The text with values masked; `None` where it holds none.
    #[must_use]
    pub fn masked(&self, text: &str) -> Option<String> {
        let found = self.find(text);
        if found.is_empty() {
            return None;
        }
        let (mut masked, mut at) = (String::with_capacity(text.len()), 0);
        for (range, name) in found {
            masked.push_str(&text[at..range.start]);
            masked.push_str("[secret ");
            masked.push_str(&name);
            masked.push_str(" masked]");
            at = range.end;
        }
        masked.push_str(&text[at..]);
        Some(masked)
    }

    fn now(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Value {
    fn is_had(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn had_since(&self) -> Instant {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn of(values: Vec<Value>) -> Self {
        let mut seen = BTreeSet::new();
        let (mut forms, mut of) = (Vec::new(), Vec::new());
        for (at, value) in values.iter().enumerate() {
            for form in written(value.held.expose()) {
                if form.len() >= MASKED_BYTES_MIN && seen.insert(form.clone()) {
                    forms.push(form);
                    of.push(at);
                }
            }
        }
        // Longest first: of a value and one that it begins with, the longer one is meant.
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
        Self { values, forms: built.ok().filter(|_| !forms.is_empty()), of }
    }
}

/// The forms in which a value is written.
fn written(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let mut forms = vec![bytes.to_vec()];
    let json = serde_json::Value::from(value).to_string();
    forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
    // Go and others escape these in JSON, too.
    let html = json[1..json.len() - 1].replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    forms.push(html.into_bytes());
    for upper in [true, false] {
        forms.push(percent(bytes, upper, "%20"));
        forms.push(percent(bytes, upper, "+"));
        forms.push(hexadecimal(bytes, upper));
    }
    for before in 0..3 {
        forms.push(inner_base64(&STANDARD_NO_PAD, bytes, before));
        forms.push(inner_base64(&URL_SAFE_NO_PAD, bytes, before));
    }
    // A text of several lines is often shown a line at a time.
    forms.extend(
        value.lines().filter(|line| line.len() >= 16 && line.len() < value.len()).map(|l| l.as_bytes().to_vec()),
    );
    for form in &mut forms {
        let cut = std::str::from_utf8(form).map_or(FORM_BYTES_MAX, |text| text.floor_char_boundary(FORM_BYTES_MAX));
        form.truncate(cut);
    }
    forms
}

/// Whether a JSON text has characters in a spelling that is its writer's own: any can be written as `\u` and four digits.
fn has_own_escapes(json: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', json).any(|at| matches!(json.get(at + 1), Some(b'u' | b'/')))
}

fn percent(bytes: &[u8], upper: bool, space: &str) -> Vec<u8> {
    let mut out = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        match byte {
            b' ' => out.push_str(space),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => out.push(char::from(*byte)),
            byte if upper => out.push_str(&format!("%{byte:02X}")),
            byte => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out.into_bytes()
}

fn hexadecimal(bytes: &[u8], upper: bool) -> Vec<u8> {
    let digits = bytes.iter().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
    digits.collect::<String>().into_bytes()
}

/// The part of a Base64 text that is the same whatever stands around the value, when `before` bytes (modulo 3) stand before it.
fn inner_base64(engine: &base64::engine::GeneralPurpose, bytes: &[u8], before: usize) -> Vec<u8> {
    let encoded = engine.encode([&vec![0; before], bytes].concat());
    // Each character is 6 bits: those that also hold bits of a neighbour are left out.
    let start = (before * 8).div_ceil(6);
    let end = (before + bytes.len()) * 8 / 6;
    encoded.as_bytes()[start.min(end)..end].to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::Redactor;
    use crate::held::Held;

    fn knowing(values: &[(&str, &str)]) -> Redactor {
        let redactor = Redactor::default();
        for (name, value) in values {
            redactor.learn(name, &Held::new((*value).to_owned()));
        }
        redactor
    }

    #[test]
    fn sec_5_a_value_is_found_in_every_form_it_is_written_in() {
        let value = "p\"a/ss <wörd>\\9";
        let redactor = knowing(&[("db", value)]);
        let json = serde_json::Value::from(value).to_string();
        for text in [
            value.to_owned(),
            json.clone(),
            json.replace('<', "\\u003c").replace('>', "\\u003e"),
            "p%22a%2Fss%20%3Cw%C3%B6rd%3E%5C9".to_owned(),
            "p%22a%2fss+%3cw%c3%b6rd%3e%5c9".to_owned(),
            value.bytes().map(|b| format!("{b:02x}")).collect(),
        ] {
            let masked = redactor.masked(&format!("before {text} after")).unwrap();
            assert_eq!(masked.replace('"', ""), "before [secret db masked] after", "{text}");
            assert!(redactor.might_hold(text.as_bytes()));
        }
        assert_eq!(redactor.masked("p\"a/ss <word>"), None);
    }

    #[test]
    fn sec_5_a_servers_own_spelling_of_characters_hides_no_value() {
        let redactor = knowing(&[("db", "hunter2-hunter2")]);
        assert!(redactor.might_hold(br#"{"text":"\u0068unter2-hunter2"}"#));
        assert!(redactor.might_hold(br#"{"text":"a\/b"}"#), "a value may hold a slash");
        assert!(!redactor.might_hold(br#"{"text":"a\n\"b"}"#));
        assert!(!knowing(&[]).might_hold(br#"{"text":"\u0068"}"#));
    }

    #[test]
    fn sec_5_a_long_value_is_cut_between_characters() {
        let value = format!("x{}", "ü".repeat(4096));
        let masked = knowing(&[("long", &value)]).masked(&value).unwrap();
        assert!(masked.starts_with("[secret long masked]"), "{masked:.60}");
    }

    #[test]
    fn sec_5_of_two_values_the_longer_one_is_masked_and_short_ones_are_left() {
        let redactor = knowing(&[("short", "12345"), ("a", "secret-1"), ("b", "secret-12")]);
        assert_eq!(redactor.masked("12345 secret-12 secret-13").unwrap(), "12345 [secret b masked] [secret a masked]3");
        assert_eq!(knowing(&[]).masked("anything"), None);
    }

    #[test]
    fn sec_5_values_are_let_go_of_when_nobody_has_them() {
        let redactor = knowing(&[("a", "secret-1"), ("b", "secret-2")]);
        redactor.retain(Duration::from_secs(3600), &|_| false);
        assert!(redactor.might_hold(b"secret-1"));
        redactor.retain(Duration::ZERO, &|held| held.expose() == "secret-2");
        assert!(!redactor.might_hold(b"secret-1") && redactor.might_hold(b"secret-2"));
    }

    proptest! {
        #[test]
        fn sec_5_base64_is_found_whatever_stands_around_it(
            before in proptest::collection::vec(any::<u8>(), 0..7),
            value in "[!-~]{9,40}",
            after in proptest::collection::vec(any::<u8>(), 0..7),
        ) {
            let redactor = knowing(&[("x", &value)]);
            let whole = [before.as_slice(), value.as_bytes(), &after].concat();
            for encoded in [STANDARD.encode(&whole), URL_SAFE.encode(&whole)] {
                prop_assert!(redactor.might_hold(encoded.as_bytes()), "{}", encoded);
            }
        }

        #[test]
        fn sec_5_what_is_masked_holds_no_value(text in "(secret-1|secret-22|[a-z ü-]){0,20}") {
            let redactor = knowing(&[("a", "secret-1"), ("b", "secret-22")]);
            let masked = redactor.masked(&text).unwrap_or(text);
            prop_assert!(!masked.contains("secret-1") && !masked.contains("secret-22"));
        }
    }
}
