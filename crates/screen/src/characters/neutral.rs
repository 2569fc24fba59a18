//! Dangerous characters made harmless, each kind as its rule says; the rest of the text stays as it is.

use crate::characters::class::{Action, CharacterRules, Class};
use crate::characters::find::dangerous;

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Neutral {
    /// Nothing had to be done.
    Unchanged,
    /// The text with its dangerous characters taken out or marked.
    Changed(String),
    /// It holds what must not be sent.
    Rejected(Class),
}

/// Makes `text` harmless; `seen` is told each kind that was found, also those that pass.
pub fn neutralise(text: &str, rules: &CharacterRules, seen: &mut dyn FnMut(Class)) -> Neutral {
    let found = dangerous(text);
    if found.is_empty() {
        return Neutral::Unchanged;
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut changed = false;
    for (range, class) in found {
        seen(class);
        match rules.of(class) {
            Action::Pass => continue,
            Action::Reject => return Neutral::Rejected(class),
            Action::Strip => out.push_str(&text[at..range.start]),
            Action::Mark => {
                out.push_str(&text[at..range.start]);
                mark(&text[range.clone()], class, &mut out);
            }
        }
        (at, changed) = (range.end, true);
    }
    if !changed {
        return Neutral::Unchanged;
    }
    out.push_str(&text[at..]);
    Neutral::Changed(out)
}

/// Something that can be seen for what is written.
fn mark(written: &str, class: Class, out: &mut String) {
    if class == Class::Hidden {
        // As many as they are, they are one thing; what they spell is not spelt out to a model.
        let count = written.chars().count();
        out.push_str(&format!("⟦{count} hidden characters⟧"));
        return;
    }
    for c in written.chars() {
        match c {
            // The pictures of control characters.
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('\u{2421}'),
            ' '..='~' => out.push(c),
            _ => out.push_str(&format!("⟦U+{:04X}⟧", c as u32)),
        }
    }
}
