//! Values in use, found again wherever text leaves.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::held::Held;
use crate::known::{Known, MASKED_BYTES_MIN, Value};

/// Finds values that were given out. What is found is told by the secret's name.
///
/// Every message asks it, so what is known is swapped as a whole: who asks waits for nobody.
#[derive(Default)]
pub struct Redactor {
    known: ArcSwap<Known>,
    /// Held by whoever makes another state of it.
    changing: Mutex<()>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({:?})", self.known.load())
    }
}

impl Redactor {
    /// From now on the value is masked, in the log, in answers and on record, unless it is too short to be told from other text.
    ///
    /// # Errors
    /// Why it cannot be masked beside those that are: then nobody may be given it.
    pub fn learn(&self, name: &str, held: &Held) -> Result<(), String> {
        if held.expose().len() < MASKED_BYTES_MIN || self.is_known(held) {
            return Ok(());
        }
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_known(held) {
            return Ok(());
        }
        let mut values = self.known.load().values.clone();
        values.push(Value::new(name, held));
        self.known.store(Arc::new(Known::of(values)?));
        Ok(())
    }

    fn is_known(&self, held: &Held) -> bool {
        let known = self.known.load();
        let found = known.values.iter().find(|value| value.held.expose() == held.expose());
        found.inspect(|value| value.is_had()).is_some()
    }

    /// Lets go of values that were given to nobody, are kept nowhere else and `in_use` nowhere for `age`: a process that ends may
    /// still tell of one.
    pub fn retain(&self, age: Duration, in_use: &dyn Fn(&Held) -> bool) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.known.load_full();
        known.values.iter().filter(|value| value.held.is_shared() || in_use(&value.held)).for_each(Value::is_had);
        let stays = |value: &&Value| value.held.is_shared() || value.had_since().elapsed() < age || in_use(&value.held);
        let left: Vec<Value> = known.values.iter().filter(stays).cloned().collect();
        if left.len() == known.values.len() {
            return;
        }
        // Fewer values are masked wherever more were: this does not fail. If it did, what is known would stay.
        if let Ok(fewer) = Known::of(left) {
            self.known.store(Arc::new(fewer));
        }
    }

    /// Whether the bytes could hold one; `false` is sure.
    #[must_use]
    pub fn might_hold(&self, bytes: &[u8]) -> bool {
        let known = self.known.load();
        !known.is_empty() && (known.next(bytes, 0).is_some() || has_own_escapes(bytes))
    }

    /// Where values stand in `text`, and the names of their secrets.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<(Range<usize>, Arc<str>)> {
        let known = self.known.load();
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some((range, value)) = known.next(text.as_bytes(), at) {
            at = range.end;
            // A value of whole characters may begin or end within one only where the text is not its own.
            if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
                found.push((range, Arc::clone(&value.name)));
            }
        }
        found
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
}

/// Whether a JSON text has characters in a spelling that is its writer's own: any can be written as `\u` and four digits.
fn has_own_escapes(json: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', json).any(|at| matches!(json.get(at + 1), Some(b'u' | b'/')))
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
            redactor.learn(name, &Held::new((*value).to_owned())).unwrap();
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
    fn sec_5_a_long_value_is_masked_to_its_end_in_every_form() {
        let value = format!("x{}end", "ü<".repeat(20_000));
        let redactor = knowing(&[("long", &value), ("other", &format!("{}other", &value[..9_000]))]);
        for text in [value.clone(), serde_json::Value::from(value.as_str()).to_string(), STANDARD.encode(&value)] {
            let masked = redactor.masked(&format!("before {text} after")).unwrap();
            let left = masked.replace('"', "");
            assert!(left.starts_with("before [secret long masked]") && left.ends_with(" after"), "{left:.80}");
            assert!(left.len() < 40, "{} bytes are left", left.len());
        }
        assert_eq!(redactor.masked(&value[..7_999]), None, "a part of it is another text");
    }

    #[test]
    fn sec_5_what_cannot_be_masked_is_refused_and_what_was_masked_stays_so() {
        let redactor = knowing(&[("first", "the-first-value")]);
        let large = |n: usize| Held::new(format!("{n}{}", "\u{1}".repeat(60_000)));
        let refused = (0..1_000).find_map(|n| redactor.learn("large", &large(n)).err()).unwrap();
        assert!(refused.contains("more than"), "{refused}");
        assert!(redactor.might_hold(b"the-first-value"));
        assert!(redactor.learn("small", &Held::new("small enough".to_owned())).is_ok());
    }

    #[test]
    fn sec_5_a_name_cannot_break_the_json_that_it_is_put_into() {
        let masked = knowing(&[("a\"b\\c\n", "hunter2")]).masked(r#"{"text":"hunter2"}"#).unwrap();
        assert_eq!(masked, r#"{"text":"[secret a_b_c_ masked]"}"#);
    }

    #[test]
    fn sec_5_a_value_that_is_kept_elsewhere_is_not_let_go_of() {
        let (redactor, token) = (Redactor::default(), Held::new("vaults-token".to_owned()));
        redactor.learn("vault token", &token).unwrap();
        let clone = token.clone();
        drop(token);
        redactor.retain(Duration::from_millis(50), &|_| false);
        assert!(redactor.might_hold(b"vaults-token"));
        drop(clone);
        redactor.retain(Duration::ZERO, &|_| false);
        assert!(!redactor.might_hold(b"vaults-token"));
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
