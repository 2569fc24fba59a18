//! The rules of the house held against the house as it stands; what each rule means is told in its check.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use omni_tidy::{Finding, House, Measured, RATCHET_FILE, Ratchet, TABLE, checks, report};
use std::sync::LazyLock;

/// Read once: walking it takes longer than all checks together.
static HOUSE: LazyLock<House> = LazyLock::new(|| House::read().expect("the repository"));

fn clean(check: impl Fn(&House) -> Vec<Finding>) {
    let findings = check(&HOUSE);
    assert!(findings.is_empty(), "\n{}", report(findings));
}

fn ratchet(house: &House) -> Ratchet {
    let list = house.tree.sources.iter().find(|source| source.path == RATCHET_FILE).expect("the ratchet's list");
    Ratchet::parse(&list.text).expect("the ratchet's list")
}

#[test]
fn crates_use_one_another_along_the_table_of_arrows() {
    clean(|house| checks::arrows::check(house, TABLE));
}

#[test]
fn modules_import_one_another_in_no_circle() {
    clean(|house| checks::circles::check(house, &ratchet(house)));
}

#[test]
fn processes_pauses_and_exits_stay_behind_their_doors() {
    clean(|house| checks::doors::check(house, checks::doors::DOORS));
}

#[test]
fn every_lib_rs_is_a_face() {
    clean(checks::face::check);
}

#[test]
fn nothing_is_over_what_the_ratchet_allows() {
    clean(|house| ratchet(house).check(&Measured::of(house)));
}

#[test]
fn every_file_says_first_what_it_is_for() {
    clean(checks::headline::check);
}

#[test]
fn paths_can_be_followed() {
    clean(checks::paths::check);
}

#[test]
fn lints_are_waived_with_a_reason_only() {
    clean(checks::waivers::check);
}

#[test]
fn no_registry_host_and_no_path_of_a_machine_is_named() {
    clean(checks::places::check);
}

#[test]
fn requirement_ids_are_ids_of_the_list() {
    clean(checks::ids::check);
}

#[test]
fn relative_links_lead_to_files() {
    clean(checks::links::check);
}

#[test]
fn tests_that_the_threat_model_names_are_there() {
    clean(checks::shown::check);
}
