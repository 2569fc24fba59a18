//! Precision and recall on the committed corpora: what they are stands in `docs/guides/validation.md`, and may not get worse.
#![allow(clippy::unwrap_used)]

use crate::detect::find;
use crate::detect::kind::Kind;

/// A text, and what is to be found in it.
#[derive(serde::Deserialize)]
pub(super) struct Row {
    pub(super) text: String,
    pub(super) spans: Vec<(String, String)>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Score {
    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }
}

const KINDS: [(&str, Kind); 5] =
    [("card", Kind::Card), ("iban", Kind::Iban), ("email", Kind::Email), ("key", Kind::Key), ("secret", Kind::Unknown)];

/// A finding is right when it covers what was put there; one that covers a part is wrong, and what it leaves is missed.
fn score(corpus: &[Row], name: &str) -> Vec<(&'static str, Score)> {
    let mut scores = [Score::default(); 5];
    for row in corpus {
        let found = find(&row.text, "", &|_| true);
        for (at, (word, kind)) in KINDS.iter().enumerate() {
            let mut wanted: Vec<&str> =
                row.spans.iter().filter(|(own, _)| own == word).map(|(_, text)| text.as_str()).collect();
            for finding in found.iter().filter(|finding| finding.kind == *kind) {
                let text = &row.text[finding.range.clone()];
                match wanted.iter().position(|own| {
                    text.contains(own) || *word == "key" && own.contains(text) && text.len() * 2 > own.len()
                }) {
                    Some(own) => {
                        wanted.remove(own);
                        scores[at].right += 1;
                    }
                    None => {
                        eprintln!("{name}: {word} that is none: {text:?} in {:?}", row.text);
                        scores[at].wrong += 1;
                    }
                }
            }
            for missed in &wanted {
                eprintln!("{name}: {word} missed: {missed:?} in {:?}", row.text);
            }
            scores[at].missed += u32::try_from(wanted.len()).unwrap();
        }
    }
    KINDS.iter().zip(scores).map(|((word, _), score)| (*word, score)).collect()
}

/// The rows of a file.
pub(super) fn rows(corpus: &str) -> Vec<Row> {
    corpus.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Precision and recall of each kind are no worse than these.
pub(super) fn at_least(corpus: &[Row], name: &str, floors: &[(&str, f64, f64)]) {
    let scores = score(corpus, name);
    for (word, score) in &scores {
        eprintln!("{name} {word}: precision {:.3} recall {:.3} {score:?}", score.precision(), score.recall());
    }
    for (word, precision, recall) in floors {
        let (_, score) = scores.iter().find(|(own, _)| own == word).unwrap();
        assert!(score.precision() >= *precision && score.recall() >= *recall, "{name} {word}: {score:?}");
    }
}

#[test]
fn tool_5_precision_and_recall_on_our_own_corpus() {
    // It also makes numbers that no issuer has: JCB of 15 digits, and outside of 3528 to 3589.
    let floors =
        [("card", 0.99, 0.83), ("iban", 0.99, 0.99), ("email", 0.99, 0.99), ("key", 0.9, 0.9), ("secret", 0.9, 0.8)];
    at_least(&rows(include_str!("../../corpus/detect.jsonl")), "own", &floors);
}

#[test]
fn tool_5_precision_and_recall_on_a_public_generator() {
    // It also makes numbers that no issuer has: JCB of 15 digits, and outside of 3528 to 3589.
    let floors = [("card", 0.99, 0.83), ("iban", 0.99, 0.99), ("email", 0.99, 0.99)];
    at_least(&rows(include_str!("../../corpus/faker.jsonl")), "faker", &floors);
}
