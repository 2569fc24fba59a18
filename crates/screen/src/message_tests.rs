//! Whole messages on their way out: what is found is masked, JSON stays JSON, and harmless content stays to the byte.
#![allow(clippy::unwrap_used)]

use std::ops::Range;
use std::sync::Arc;

use omni_protocol::Message;
use proptest::prelude::*;

use crate::mask::Mask;
use crate::screen::Screen;
use crate::settings::{Action, AnswersSettings, DetectAction, ValidationSettings};

fn screen(change: impl Fn(&mut AnswersSettings)) -> Screen {
    let mut answers = AnswersSettings::default();
    change(&mut answers);
    Screen::build(&ValidationSettings::default(), &answers).unwrap()
}

#[test]
fn tool_5_what_is_found_is_masked_within_the_json() {
    let screen = screen(|answers| answers.detect.emails = DetectAction::Mask);
    let cases = [
        (
            r#"{"content":[{"type":"text","text":"a \"4111 1111 1111 1111\"\nb"}] }"#,
            r#"{"content":[{"type":"text","text":"a \"[card number ending 1111]\"\nb"}] }"#,
        ),
        (
            r#"{"structuredContent":{"card_no":4111111111111111,"id":4111111111111111}}"#,
            r#"{"structuredContent":{"card_no":1111,"id":4111111111111111}}"#,
        ),
        (r#"{"content":[{"text":"x \u001b[31m y"}]}"#, r#"{"content":[{"text":"x ␛[31m y"}]}"#),
        // Spelt as escapes, it is the same.
        (r#"{"content":[{"text":"\u0034111111111111111"}]}"#, r#"{"content":[{"text":"[card number ending 1111]"}]}"#),
        (
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"ann@example.com"}}]}"#,
            r#"{"messages":[{"role":"user","content":{"type":"text","text":"[e-mail address masked]"}}]}"#,
        ),
    ];
    for (given, wanted) in cases {
        assert_eq!(screen.outward(given).unwrap().as_deref(), Some(wanted), "{given}");
    }
    assert!(screen.counts().now().data_detected >= 4);
}

/// A half of a pair has no meaning, but JavaScript and others read on: what stands beside it is not hidden by it.
#[test]
fn val_5_a_lone_surrogate_hides_nothing() {
    let screen = screen(|_| ());
    let token = "\\u0067hp_16C7e42F292c6912E7710c838347Ae178B4a";
    for half in ["\\ud800", "\\uDFFF", "\\ud800\\ud800", "\\ud83d x", "\\ud800\\n", "\\udc00\\ud83d\\ude00"] {
        let json = format!(r#"{{"content":[{{"text":"{half} {token}"}}]}}"#);
        let left = screen.outward(&json).unwrap().unwrap_or_default();
        assert!(left.contains("[GitHub token masked]") && left.contains('\u{fffd}'), "{json}: {left}");
        let json = format!(r#"{{"content":[{{"text":"{half} a\u202eb \udb40\udc41\udb40\udc42"}}]}}"#);
        let left = screen.outward(&json).unwrap().unwrap_or_default();
        assert!(left.contains("⟦U+202E⟧") && left.contains("⟦2 hidden characters⟧"), "{json}: {left}");
        assert!(screen.inward("s", "t", &format!(r#"{{"a":"{half} \u202e"}}"#)).is_err(), "{half}");
        assert!(screen.inward("s", "t", &format!(r#"{{"{half}\u0000":1}}"#)).is_err(), "{half}");
    }
    // Nothing else in it: it passes to the byte.
    for clean in [r#"{"content":[{"text":"\ud800"}]}"#, r#"{"content":[{"text":"\udbff\u0041"}]}"#] {
        assert_eq!(screen.outward(clean).unwrap(), None, "{clean}");
    }
}

/// A stroke may be escaped, and PHP does: what needs one is found all the same.
#[test]
fn tool_5_an_escaped_stroke_hides_nothing() {
    let left = screen(|_| ()).outward(r#"{"content":[{"text":"postgres:\/\/app:Tr0ub4dor@db\/x"}]}"#).unwrap();
    assert_eq!(left.as_deref(), Some(r#"{"content":[{"text":"postgres://app:[password in a URL masked]@db/x"}]}"#));
}

/// The name of a member cannot be masked, but a message can be withheld for it.
#[test]
fn tool_5_what_must_not_leave_does_not_leave_as_a_name() {
    let json = r#"{"structuredContent":{"4111 1111 1111 1111":1}}"#;
    assert!(screen(|answers| answers.detect.cards = DetectAction::Block).outward(json).is_err());
    assert_eq!(screen(|_| ()).outward(json).unwrap(), None);
    let json = r#"{"structuredContent":{"a\u202eb":1}}"#;
    assert!(screen(|answers| answers.characters.bidi = Action::Reject).outward(json).is_err());
    assert_eq!(screen(|_| ()).outward(json).unwrap(), None);
}

#[test]
fn tool_5_what_the_protocol_needs_is_no_text() {
    let screen = screen(|answers| answers.characters.control = Action::Strip);
    let token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    for name in ["nextCursor", "requestState", "_meta", "uri", "blob", "id"] {
        for value in [format!("\"{token}\\u0000\""), format!("{{\"a\":[\"{token}\"]}}")] {
            let json = format!(r#"{{"{name}":{value},"content":[]}}"#);
            assert_eq!(screen.outward(&json).unwrap(), None, "{json}");
        }
        let own = format!(r#"{{"structuredContent":{{"{name}":"{token}"}},"{name}":"{token}"}}"#);
        let wanted = format!(r#"{{"structuredContent":{{"{name}":"[GitHub token masked]"}},"{name}":"{token}"}}"#);
        assert_eq!(screen.outward(&own).unwrap(), Some(wanted));
    }
}

#[test]
fn tool_5_a_rule_may_withhold() {
    let screen = screen(|answers| {
        answers.detect.cards = DetectAction::Block;
        answers.characters.bidi = Action::Reject;
    });
    assert!(screen.outward(r#"{"text":"4111111111111111"}"#).is_err());
    assert!(screen.outward(r#"{"text":"a\u202eb"}"#).is_err());
    assert_eq!(screen.outward(r#"{"text":"fine"}"#), Ok(None));
    assert_eq!(screen.counts().now().answers_withheld, 2);
}

/// TOOL-5, VAL-5, COMP-4: what may pass by a glance at it is what the whole way leaves as it is.
#[test]
fn tool_5_what_passes_by_a_glance_holds_nothing_that_a_rule_is_about() {
    let screen = screen(|answers| answers.detect.emails = DetectAction::Mask).with_mask(Arc::new(Known));
    let key = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    for length in [0, 1, 30, 31, 32, 33, 63, 64, 65, 100, 1000] {
        let (before, after) = ("x ".repeat(length / 2), "-y".repeat(length));
        let message = |text: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"a":"{before}{text}{after}"}}}}"#);
            Message::parse(text.into()).unwrap()
        };
        for harmless in ["", "012345", "hunter3", "4111 1111", "größe", "a\\nb", "2026-11-22T10:11"] {
            let message = message(harmless);
            assert!(screen.lets_pass(&message), "{}", message.text());
            assert_eq!(screen.outward(message.text()), Ok(None));
        }
        for held in
            ["4111 1111 1111 1111", "a@b.example ", key, "hunter2", "\\u202e", "\u{7f}", "gh\\u0070_", "\u{202e}"]
        {
            assert!(!screen.lets_pass(&message(held)), "{held} after {length}");
        }
    }
}

#[derive(Debug)]
struct Known;

impl Mask for Known {
    fn might_hold(&self, json: &[u8]) -> bool {
        memchr::memmem::find(json, b"hunter2").is_some()
    }

    fn find(&self, text: &str, found: &mut Vec<(Range<usize>, String)>) {
        found.extend(text.match_indices("hunter2").map(|(at, word)| (at..at + word.len(), "db".to_owned())));
    }
}

#[test]
fn tool_5_secrets_that_are_known_are_masked() {
    let screen = screen(|_| ()).with_mask(Arc::new(Known));
    let masked = screen.outward(r#"{"text":"a hunter2 b","n":1.50e0}"#).unwrap();
    assert_eq!(masked.as_deref(), Some(r#"{"text":"a [secret db masked] b","n":1.50e0}"#));
}

#[test]
fn tool_5_secrets_are_masked_or_withheld_wherever_they_stand() {
    #[derive(Debug)]
    struct Pin;
    impl Mask for Pin {
        fn might_hold(&self, _: &[u8]) -> bool {
            true
        }

        fn find(&self, text: &str, found: &mut Vec<(Range<usize>, String)>) {
            found.extend(text.match_indices("90210907").map(|(at, word)| (at..at + word.len(), "pin".to_owned())));
        }
    }
    let screen = screen(|_| ()).with_mask(Arc::new(Pin));
    let out = |text: &str| screen.outward(text);
    assert_eq!(out(r#"{"text":"\u00390210907"}"#).unwrap().as_deref(), Some(r#"{"text":"[secret pin masked]"}"#));
    assert_eq!(out(r#"{"n":90210907,"m":1}"#).unwrap().as_deref(), Some(r#"{"n":0,"m":1}"#));
    assert!(out(r#"{"x90210907":1}"#).is_err(), "a name is not changed, since two could become one");
}

#[test]
fn val_5_arguments() {
    let screen = screen(|_| ());
    for bad in [r#"{"a":"x\u0000"}"#, r#"{"a":["\u001b[2J"]}"#, r#"{"a\u202e":1}"#, "{\"a\":\"\u{e0061}\"}"] {
        assert!(screen.inward("s", "t", bad).is_err(), "{bad}");
    }
    for good in [r#"{"a":"x\n\t\r"}"#, r#"{"a":"\u00e9 \ud83d\ude00"}"#, "{\"a\":\"می\u{200c}خواهم\"}"] {
        assert_eq!(screen.inward("s", "t", good), Ok(None), "{good}");
    }
    let mut validation = ValidationSettings::default();
    validation.characters.except = vec!["s:term*".to_owned()];
    validation.characters.control = Action::Strip;
    let screen = Screen::build(&validation, &AnswersSettings::default()).unwrap();
    assert_eq!(screen.inward("s", "terminal", r#"{"a":"\u0000"}"#), Ok(None));
    assert_eq!(screen.inward("s", "t", r#"{"a":"\u001b[2Jx","b":1.0}"#).unwrap().unwrap(), r#"{"a":"x","b":1.0}"#);
    // A name is not rewritten, but refused: two could become one.
    assert!(screen.inward("s", "t", r#"{"a\u0007":1,"a":2}"#).is_err());
    for name in ["a\nb", "a\u{200b}b", "\u{202e}a", "a\0"] {
        assert!(screen.dangerous_name(name).is_some());
    }
    assert_eq!(screen.dangerous_name("größe/日本"), None);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        "[a-zA-Z .,\u{e0}-\u{ff}\u{4e00}-\u{4fff}\\\\\"\n\t]{0,24}".prop_map(serde_json::Value::from),
        any::<i32>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::hash_map("[a-z]{1,8}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// TOOL-5: harmless content is unchanged to the byte.
    #[test]
    fn tool_5_harmless_content_stays(value in json()) {
        let screen = screen(|answers| {
            answers.detect.emails = DetectAction::Mask;
            answers.detect.ibans = DetectAction::Mask;
            answers.detect.secrets = DetectAction::Mask;
            answers.characters.zero_width = Action::Mark;
        });
        prop_assert_eq!(screen.outward(&value.to_string()), Ok(None));
    }

    /// Whatever is put into whatever text: JSON stays JSON of the same shape, and what was put there is gone.
    #[test]
    fn tool_5_json_stays_json(value in json(), before in "[^0-9\\p{C}]{0,12}", after in "[^0-9\\p{C}]{0,12}") {
        let screen = screen(|_| ());
        let text = format!("{before} 4111 1111 1111 1111 \u{1b}[2J {after}");
        let whole = serde_json::json!({ "content": [{ "type": "text", "text": text }], "structuredContent": value });
        let left = screen.outward(&whole.to_string()).unwrap().unwrap();
        let read: serde_json::Value = serde_json::from_str(&left).unwrap();
        prop_assert_eq!(&read["structuredContent"], &whole["structuredContent"]);
        prop_assert!(!left.contains("4111 1111") && !left.contains("\\u001b"));
    }
}
