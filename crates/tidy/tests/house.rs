//! The rules of the house held against the house as it stands; what each rule means is told in its check.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use omni_tidy::{Finding, Measured, RATCHET_FILE, Ratchet, TABLE, Tree, checks, report};

fn clean(check: impl Fn(&Tree) -> Vec<Finding>) {
    let findings = check(&Tree::read().expect("the repository"));
    assert!(findings.is_empty(), "\n{}", report(findings));
}

fn ratchet(tree: &Tree) -> Ratchet {
    let list = tree.sources.iter().find(|source| source.path == RATCHET_FILE).expect("the ratchet's list");
    Ratchet::parse(&list.text).expect("the ratchet's list")
}

#[test]
fn crates_use_one_another_along_the_table_of_arrows() {
    clean(|tree| checks::arrows::check(tree, TABLE));
}

#[test]
fn modules_import_one_another_in_no_circle() {
    clean(|tree| checks::circles::check(tree, &ratchet(tree)));
}

#[test]
fn processes_pauses_and_exits_stay_behind_their_doors() {
    clean(|tree| checks::doors::check(tree, checks::doors::DOORS));
}

#[test]
fn every_lib_rs_is_a_face() {
    clean(checks::face::check);
}

#[test]
fn nothing_is_over_what_the_ratchet_allows() {
    clean(|tree| ratchet(tree).check(&Measured::of(tree)));
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
