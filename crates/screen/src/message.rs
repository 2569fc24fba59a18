//! One message looked through on its way in or out: dangerous characters, secrets, personal data.

use omni_protocol::Spelling;

use crate::characters::{self, CharacterRules, Class, Neutral, neutralise};
use crate::counts::{Counts, Odd};
use crate::detect::{self, Kind};
use crate::mask::Mask;
use crate::settings::{DetectAction, DetectSettings};
use crate::strings::{Part, Reach, rewrite};

/// Why a message is not let through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// It holds a dangerous character whose rule is to refuse.
    #[error("holds {}", .0.name())]
    Character(Class),
    /// It holds data whose rule is to block.
    #[error("holds a {}", .0.name())]
    Data(Kind),
    /// It holds the value of a secret where nothing can be put in its place.
    #[error("holds a secret in the name of a member")]
    Secret,
}

/// What an answer is held against.
#[derive(Debug)]
pub(crate) struct Outward<'a> {
    pub(crate) characters: &'a CharacterRules,
    pub(crate) detect: &'a DetectSettings,
    pub(crate) mask: &'a dyn Mask,
    pub(crate) counts: &'a Counts,
}

/// The JSON text of arguments with its dangerous characters made harmless; `None` where nothing is to be changed.
pub(crate) fn inward(json: &str, rules: &CharacterRules, counts: &Counts) -> Result<Option<String>, Withheld> {
    if !characters::might_hold(json.as_bytes()) {
        return Ok(None);
    }
    rewrite(json, Reach::Value, &mut |part, text, _| match (
        part,
        neutralise(text, rules, &mut |_| counts.count(Odd::Character)),
    ) {
        (_, Neutral::Rejected(class)) => Err(Withheld::Character(class)),
        (Part::Text, Neutral::Changed(text)) => Ok(Some(text)),
        // A name that would be changed is refused: two could become one, and each side would take another.
        (Part::Name, Neutral::Changed(_)) => {
            let class = characters::dangerous(text).first().map_or(Class::Control, |(_, class)| *class);
            Err(Withheld::Character(class))
        }
        _ => Ok(None),
    })
}

/// Whether a JSON text could hold what a rule is about: `false` is sure. It is looked through no more often than its spelling
/// asks for.
pub(crate) fn might_change(json: &str, spelling: Spelling, rules: &Outward<'_>) -> bool {
    let bytes = json.as_bytes();
    let wanted = |kind: Kind| rules.detect.of(kind) != DetectAction::Off;
    let odd = !rules.characters.is_idle() && (spelling.escapes || spelling.odd_bytes);
    odd && characters::might_hold(bytes)
        || detect::might_hold(bytes, spelling.escapes, &wanted)
        || rules.mask.might_hold(bytes)
}

/// A message to a client fit to leave; `None` where it is as it came.
pub(crate) fn outward(json: &str, reach: Reach, rules: &Outward<'_>) -> Result<Option<String>, Withheld> {
    if !might_change(json, Spelling::UNKNOWN, rules) {
        return Ok(None);
    }
    let wanted = |kind: Kind| rules.detect.of(kind) != DetectAction::Off;
    rewrite(json, reach, &mut |part, text, member| match part {
        Part::Name => name_out(text, rules).map(|()| None),
        // A number stays one.
        Part::Number if is_secret(text, rules) => Ok(Some("0".to_owned())),
        Part::Number => {
            if !(wanted(Kind::Card) && detect::is_card_number(text, member)) {
                return Ok(None);
            }
            rules.counts.count(Odd::Detected);
            match rules.detect.of(Kind::Card) {
                DetectAction::Block => Err(Withheld::Data(Kind::Card)),
                // A number stays one: its last four digits.
                DetectAction::Mask => Ok(Some(last_digits(text))),
                _ => Ok(None),
            }
        }
        Part::Text => text_out(text, member, rules),
    })
}

/// The name of a member is never changed, since two could become one; what must not leave holds the message back.
fn name_out(name: &str, rules: &Outward<'_>) -> Result<(), Withheld> {
    if let Neutral::Rejected(class) = neutralise(name, rules.characters, &mut |_| rules.counts.count(Odd::Character)) {
        return Err(Withheld::Character(class));
    }
    if is_secret(name, rules) {
        return Err(Withheld::Secret);
    }
    match detect::find(name, "", &|kind| rules.detect.of(kind) == DetectAction::Block).first() {
        Some(finding) => {
            rules.counts.count(Odd::Detected);
            Err(Withheld::Data(finding.kind))
        }
        None => Ok(()),
    }
}

fn is_secret(text: &str, rules: &Outward<'_>) -> bool {
    let mut found = Vec::new();
    rules.mask.find(text, &mut found);
    !found.is_empty()
}

fn last_digits(number: &str) -> String {
    let last = number.get(number.len().saturating_sub(4)..).unwrap_or("0").trim_start_matches('0');
    if last.is_empty() { "0".to_owned() } else { last.to_owned() }
}

fn text_out(text: &str, member: &str, rules: &Outward<'_>) -> Result<Option<String>, Withheld> {
    // Characters first: what they hide is not hidden from the rest.
    let neutral = match neutralise(text, rules.characters, &mut |_| rules.counts.count(Odd::Character)) {
        Neutral::Rejected(class) => return Err(Withheld::Character(class)),
        Neutral::Changed(text) => Some(text),
        Neutral::Unchanged => None,
    };
    let masked = masked(neutral.as_deref().unwrap_or(text), member, rules)?;
    Ok(masked.or(neutral))
}

/// `text` with what is found in it masked.
fn masked(text: &str, member: &str, rules: &Outward<'_>) -> Result<Option<String>, Withheld> {
    let mut places = Vec::new();
    let mut secrets = Vec::new();
    rules.mask.find(text, &mut secrets);
    places.extend(secrets.into_iter().map(|(range, name)| (range, format!("[secret {name} masked]"))));
    for finding in detect::find(text, member, &|kind| rules.detect.of(kind) != DetectAction::Off) {
        rules.counts.count(Odd::Detected);
        match rules.detect.of(finding.kind) {
            DetectAction::Block => return Err(Withheld::Data(finding.kind)),
            DetectAction::Mask => places.push((finding.range.clone(), finding.mask(text))),
            DetectAction::Count | DetectAction::Off => {}
        }
    }
    if places.is_empty() {
        return Ok(None);
    }
    places.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, mask) in places {
        if range.start < at {
            // Partly masked already: what is left of it goes too.
            at = at.max(range.end);
            continue;
        }
        out.push_str(&text[at..range.start]);
        out.push_str(&mask);
        at = range.end;
    }
    out.push_str(&text[at..]);
    Ok(Some(out))
}
