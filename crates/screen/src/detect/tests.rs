//! Each kind, and what only looks like it.
#![allow(clippy::unwrap_used)]

use crate::detect::kind::Kind;
use crate::detect::{find, might_hold};

fn kinds(text: &str) -> Vec<(Kind, String)> {
    find(text, "", &|_| true).into_iter().map(|finding| (finding.kind, text[finding.range].to_owned())).collect()
}

#[test]
fn comp_4_card_numbers() {
    for (text, number) in [
        ("4111111111111111", "4111111111111111"),
        ("pay 4111 1111 1111 1111.", "4111 1111 1111 1111"),
        ("4111-1111-1111-1111/12", "4111-1111-1111-1111"),
        ("amex 3782 822463 10005", "3782 822463 10005"),
        ("(6011111111111117)", "6011111111111117"),
        ("exp 4111 1111 1111 1111 12/29", "4111 1111 1111 1111"),
        ("\"5555555555554444\"", "5555555555554444"),
    ] {
        assert_eq!(kinds(text), [(Kind::Card, number.to_owned())], "{text}");
    }
    for text in [
        "4111111111111112",
        "1111111111111117",
        "0000000000000000",
        "0.4111111111111111",
        "x4111111111111111",
        "4111111111111111-a",
        "4111 1111 11111111",
        "4111-1111 1111-1111",
        "/4111111111111111",
    ] {
        assert_eq!(kinds(text), [], "{text}");
    }
    assert_eq!(
        find("a 4111 1111 1111 1111", "", &|_| true)[0].mask("a 4111 1111 1111 1111"),
        "[card number ending 1111]"
    );
}

#[test]
fn tool_5_nothing_is_missed_by_the_first_look() {
    let corpora = [include_str!("../../corpus/detect.jsonl"), include_str!("../../corpus/faker.jsonl")];
    for line in corpora.iter().flat_map(|corpus| corpus.lines()) {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = row["text"].as_str().unwrap();
        let json = serde_json::to_string(text).unwrap();
        for kind in [Kind::Card, Kind::Iban, Kind::Email, Kind::Key, Kind::Unknown] {
            let wanted = |own: Kind| own == kind;
            assert!(
                find(text, "", &wanted).is_empty() || might_hold(json.as_bytes(), true, &wanted),
                "{kind:?} {text}"
            );
        }
    }
    assert!(!might_hold(br#"{"text":"a plain answer of 12 words, 2026-11-22"}"#, true, &|kind| kind != Kind::Iban));
}
