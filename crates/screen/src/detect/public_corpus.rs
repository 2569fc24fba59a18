//! Precision and recall on sentences that others labelled: those by which Microsoft Presidio is evaluated, with the made-up
//! persons that come with them. `cargo xtask fixtures` fetches them by their digest; none of it stands in this repository.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::detect::corpus::{Row, at_least, rows};

/// Each sentence is asked with so many persons.
const ROUNDS: usize = 20;

/// The data, where it was fetched. In CI it is there, or the test fails.
fn data() -> Option<PathBuf> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
    let folder = peers.join("corpus/presidio_evaluator/data_generator/raw_data");
    if folder.join("templates.txt").is_file() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "the corpus is missing: run `cargo xtask fixtures`");
    eprintln!("skipped: the corpus is missing: run `cargo xtask fixtures`");
    None
}

/// The persons, by the names of the columns.
fn persons(text: &str) -> Vec<HashMap<String, String>> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(fields);
    let names = lines.next().unwrap();
    lines.filter(|row| row.len() == names.len()).map(|row| names.iter().cloned().zip(row).collect()).collect()
}

/// The fields of one line of CSV (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let (mut all, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => field.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    all.push(field);
    all
}

/// What stands in a slot, and of which kind it is where that is one that is looked for. Cards and accounts come from the generator
/// that Presidio takes them from.
fn filled(
    slot: &str,
    person: &HashMap<String, String>,
    of_generator: &HashMap<&str, &String>,
) -> (String, &'static str) {
    let column = |name: &str| person[name].clone();
    match slot {
        "credit_card_number" => (of_generator["card"].clone(), "card"),
        "iban" => (of_generator["iban"].clone(), "iban"),
        "email" => (column("EmailAddress"), "email"),
        "phone_number" => (column("TelephoneNumber"), ""),
        "ssn" | "us_driver_license" => (column("NationalID"), ""),
        "address" | "street_name" | "secondary_address" => (column("StreetAddress"), ""),
        "zipcode" | "postcode" | "building_number" => (column("ZipCode"), ""),
        "city" => (column("City"), ""),
        "country" => (column("CountryFull"), ""),
        "organization" => (column("Company"), ""),
        "url" => (format!("https://{}/", column("Domain")), ""),
        "ip_address" => ("192.0.2.17".to_owned(), ""),
        "date_time" | "date_of_birth" => (column("Birthday"), ""),
        "year" | "age" => (column("Age"), ""),
        "job" => (column("Occupation"), ""),
        "person" | "name" | "name_male" | "name_female" => {
            (format!("{} {}", column("GivenName"), column("Surname")), "")
        }
        _ => (column("Surname"), ""),
    }
}

/// TOOL-5: on sentences, slots and persons that nobody here made, the rules find what is labelled and hardly anything else.
#[test]
fn tool_5_precision_and_recall_on_sentences_that_others_labelled() {
    let Some(folder) = data() else { return };
    let templates = String::from_utf8_lossy(&std::fs::read(folder.join("templates.txt")).unwrap()).into_owned();
    let text =
        String::from_utf8_lossy(&std::fs::read(folder.join("FakeNameGenerator.com_3000.csv")).unwrap()).into_owned();
    let persons = persons(&text);
    let generated = rows(include_str!("../../corpus/faker.jsonl"));
    let of_kind = |kind: &str| -> Vec<&String> {
        generated.iter().flat_map(|row| &row.spans).filter(|(own, _)| own == kind).map(|(_, text)| text).collect()
    };
    let (cards, ibans) = (of_kind("card"), of_kind("iban"));
    let mut corpus = Vec::new();
    for round in 0..ROUNDS {
        for (at, template) in templates.lines().enumerate() {
            let number = round * templates.lines().count() + at;
            let of_generator =
                HashMap::from([("card", cards[number % cards.len()]), ("iban", ibans[number % ibans.len()])]);
            let mut row = Row { text: String::new(), spans: Vec::new() };
            let mut rest = template;
            while let Some((before, after)) = rest.split_once("{{") {
                let (slot, after) = after.split_once("}}").unwrap();
                let (value, kind) = filled(slot.trim(), &persons[number % persons.len()], &of_generator);
                row.text += before;
                row.text += &value;
                row.spans.extend((!kind.is_empty()).then(|| (kind.to_owned(), value)));
                rest = after;
            }
            row.text += rest;
            corpus.push(row);
        }
    }
    assert!(corpus.len() > 4_000 && persons.len() > 2_900, "{} sentences, {} persons", corpus.len(), persons.len());
    at_least(&corpus, "presidio", &[("card", 0.99, 0.83), ("iban", 0.99, 0.99), ("email", 0.99, 0.99)]);
}
