//! What is dangerous is found wherever it hides, and what is merely foreign passes to the byte.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use crate::characters::class::{Action, CharacterRules, Class};
use crate::characters::find::{dangerous, might_hold};
use crate::characters::neutral::{Neutral, neutralise};

/// Text in many scripts, with the joiners, marks and selectors that they need.
const FOREIGN: &str = include_str!("../../corpus/foreign.txt");

#[test]
fn val_5_text_that_is_merely_foreign_passes_to_the_byte() {
    let mut lines = 0;
    for line in FOREIGN.lines().filter(|line| !line.starts_with('#')) {
        assert_eq!(dangerous(line), Vec::new(), "{line}");
        assert_eq!(neutralise(line, &CharacterRules::all(Action::Reject), &mut |_| ()), Neutral::Unchanged);
        lines += 1;
    }
    assert!(lines > 60, "{lines}");
}

#[test]
fn val_5_what_is_dangerous_is_found() {
    use Class::{Bidi, Control, Hidden, Nul, ZeroWidth};
    let tags: String = "ignore all".chars().map(|c| char::from_u32(0xe0000 + c as u32).unwrap()).collect();
    let bytes: String = (0..6).map(|at| char::from_u32(0xfe00 + at).unwrap()).collect();
    let cases: &[(&str, &[Class])] = &[
        ("a\0b", &[Nul]),
        ("\u{1b}[31mred\u{1b}[0m", &[Control, Control]),
        ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\", &[Control, Control]),
        ("\u{1b}]52;c;cm0gLXJm\u{7}", &[Control]),
        ("\u{9b}2J", &[Control]),
        ("a\u{8}\u{8}b", &[Control, Control]),
        ("a\u{7f}", &[Control]),
        ("user\u{202e}gpj.exe", &[Bidi]),
        // "Trojan Source": the comment that is none, the string that goes on.
        ("/*\u{202e} } \u{2066}if (isAdmin)\u{2069} \u{2066} begin */", &[Bidi, Bidi]),
        ("\u{2066}never closed\nnext", &[Bidi]),
        ("closed\u{2069} too often", &[Bidi]),
        ("ig\u{200b}nore", &[ZeroWidth]),
        ("pass\u{200d}word", &[ZeroWidth]),
        ("a\u{2060}b\u{feff}c", &[ZeroWidth, ZeroWidth]),
        (&tags, &[Hidden]),
        // A flag that is too long to be one, and one without its end.
        ("\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}", &[Hidden]),
        (&format!("\u{1f600}{bytes}"), &[Hidden]),
        ("a\u{e0101}", &[Hidden]),
    ];
    for (text, wanted) in cases {
        let found: Vec<Class> = dangerous(text).into_iter().map(|(_, class)| class).collect();
        assert_eq!(&found, wanted, "{}", text.escape_unicode());
        let raw = serde_json::to_string(text).unwrap();
        assert!(might_hold(raw.as_bytes()), "{raw}");
        let escaped = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        assert!(might_hold(escaped.as_bytes()));
    }
}

#[test]
fn val_5_strip_and_mark() {
    let told = |text: &str, action| match neutralise(text, &CharacterRules::all(action), &mut |_| ()) {
        Neutral::Changed(text) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(told("\u{1b}[31mred\u{1b}[0m\0", Action::Strip), "red");
    assert_eq!(told("\u{1b}[31mred\0", Action::Mark), "␛[31mred␀");
    assert_eq!(told("a\u{202e}b", Action::Mark), "a⟦U+202E⟧b");
    assert_eq!(told("x\u{e0061}\u{e0062}y", Action::Mark), "x⟦2 hidden characters⟧y");
    // What is left is harmless, also where two halves meet.
    assert_eq!(told("\u{1b}\u{1b}[31mx", Action::Strip), "x");
}

#[test]
fn escapes_are_not_cut_in_two() {
    for shift in 0..130 {
        let before = "a".repeat(shift);
        assert!(might_hold(format!("\"{before}\\\\\\u0000\"").as_bytes()), "{shift}");
        assert!(might_hold(format!("\"{before}\u{202e}\"").as_bytes()), "{shift}");
        assert!(!might_hold(format!("\"{before}\\\\\\n \\\" é日本\"").as_bytes()), "{shift}");
    }
}

proptest! {
    /// What the first look lets pass holds nothing; what is made harmless stays harmless, and the rest of it stays.
    #[test]
    fn the_first_look_misses_nothing(text in "[\\PC\u{0}-\u{20}\u{7f}-\u{9f}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{fe00}-\u{fe0f}\u{e0000}-\u{e007f}a-z]{0,40}") {
        let json = serde_json::to_string(&text).unwrap();
        if !might_hold(json.as_bytes()) {
            prop_assert_eq!(dangerous(&text), Vec::new());
        }
        for action in [Action::Strip, Action::Mark] {
            if let Neutral::Changed(new) = neutralise(&text, &CharacterRules::all(action), &mut |_| ()) {
                let again = dangerous(&new);
                // Taking something out can make neighbours of what was apart, and a joiner needless; nothing worse is left.
                prop_assert!(again.iter().all(|(_, class)| matches!(class, Class::ZeroWidth | Class::Hidden | Class::Bidi)), "{:?}", again);
            }
        }
    }
}
