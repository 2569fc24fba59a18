//! Personal data, card numbers and keys in text (rows TOOL-5 and COMP-4): found by shape, and by what the shape must add up to.

mod card;
mod email;
mod entropy;
mod iban;
mod keys;
mod kind;
mod might;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod public_corpus;
#[cfg(test)]
mod tests;

pub use kind::{Finding, Kind};
pub(crate) use might::might_hold;

/// What is found in `text`, in order, nothing twice. `member` is the name of the member whose value it is, where it is one.
#[must_use]
pub fn find(text: &str, member: &str, wanted: &dyn Fn(Kind) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    if wanted(Kind::Card) {
        card::find(text, &mut found);
    }
    if wanted(Kind::Iban) {
        iban::find(text, &mut found);
    }
    if wanted(Kind::Email) {
        email::find(text, &mut found);
    }
    if wanted(Kind::Key) || wanted(Kind::Unknown) {
        keys::find(text, member, &mut found);
    }
    found.retain(|finding| wanted(finding.kind));
    // What is sure goes before what is likely, where both are seen in the same place.
    found.sort_by_key(|finding| {
        (finding.range.start, finding.kind == Kind::Unknown, std::cmp::Reverse(finding.range.end))
    });
    let mut end = 0;
    found.retain(|finding| {
        let apart = finding.range.start >= end;
        if apart {
            end = finding.range.end;
        }
        apart
    });
    found
}

/// Whether a number, which stands in the member `member`, is a card's: only where the name says so, since one in ten numbers
/// adds up.
#[must_use]
pub(crate) fn is_card_number(number: &str, member: &str) -> bool {
    card::is_number_of(number, member)
}
