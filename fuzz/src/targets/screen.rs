//! Messages on their way in and out: JSON stays JSON of the same shape, what is harmless stays to the byte, and what was made
//! harmless is.

use omni_screen::settings::{
    Action, AnswersSettings, ArgumentCharacters, DetectAction, DetectSettings, ValidationSettings,
};
use omni_screen::{Class, Screen, dangerous};
use serde_json::Value;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(before) = serde_json::from_str::<Value>(text) else { return };
    let mut answers = AnswersSettings::default();
    let all = DetectAction::Mask;
    answers.detect = DetectSettings { cards: all, ibans: all, emails: all, keys: all, secrets: all };
    let mut validation = ValidationSettings::default();
    validation.characters = ArgumentCharacters { nul: Action::Mark, control: Action::Mark, ..validation.characters };
    let screen = Screen::build(&validation, &answers).expect("these settings are good");
    if let Ok(Some(left)) = screen.outward(text) {
        let after: Value = serde_json::from_str(&left).expect("what leaves is JSON");
        assert!(same_shape(&before, &after), "{text} became {left}");
    }
    if let Ok(inward) = screen.inward("s", "t", text) {
        let inward = inward.as_deref().unwrap_or(text);
        let read: Value = serde_json::from_str(inward).expect("what goes in is JSON");
        assert!(harmless(&read), "{inward}");
    }
}

fn same_shape(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((x, a), (y, b))| x == y && same_shape(a, b))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b)),
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// No text, and no name, holds what is refused by default or was to be marked.
fn harmless(value: &Value) -> bool {
    let plain = |text: &str| dangerous(text).iter().all(|(_, class)| matches!(class, Class::ZeroWidth));
    match value {
        Value::String(text) => plain(text),
        Value::Array(items) => items.iter().all(harmless),
        Value::Object(members) => members.iter().all(|(name, value)| plain(name) && harmless(value)),
        _ => true,
    }
}
