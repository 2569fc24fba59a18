//! The table of arrows holds: in every Cargo.toml, and in every path of every source.

use crate::table::EVERYTHING;
use crate::{Finding, House, Row};

/// Dependencies and paths that the table does not allow; packages without a row, and rows without a package.
#[must_use]
pub fn check(house: &House, table: &[Row]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for row in table.iter().filter(|row| !house.tree.packages.iter().any(|package| package.name == row.package)) {
        findings.push(Finding::new(
            "crates/tidy/src/table.rs",
            0,
            format!("no package {}: take its row out", row.package),
        ));
    }
    for package in &house.tree.packages {
        let manifest = format!("{}/Cargo.toml", package.folder);
        let Some(row) = table.iter().find(|row| row.package == package.name) else {
            let wish = format!("{} has no row in crates/tidy/src/table.rs: say what it may use, and why", package.name);
            findings.push(Finding::new(&manifest, 0, wish));
            continue;
        };
        for (used, for_tests) in &package.dependencies {
            if let Some(message) = refusal(table, row, used, *for_tests) {
                findings.push(Finding::new(&manifest, 0, message));
            }
        }
    }
    findings.extend(house.unparsed());
    for file in &house.walked {
        let Some(package) = house.tree.package_of(&file.path) else { continue };
        let Some(row) = table.iter().find(|row| row.package == package.name) else { continue };
        for used in &file.used {
            // `omni` and `xtask` are programs, which nothing can import: what is called so is a module.
            let first = &used.segments[0];
            let name = first.replace('_', "-");
            if first.starts_with("omni_")
                && name != package.name
                && let Some(message) = refusal(table, row, &name, used.test)
            {
                findings.push(Finding::new(&file.path, used.line, message));
            }
        }
    }
    findings
}

/// Why `row` may not use `used`; nothing for crates that are not of this workspace.
fn refusal(table: &[Row], row: &Row, used: &str, for_tests: bool) -> Option<String> {
    let other = table.iter().find(|other| other.package == used)?;
    let (from, reason) = (row.package, row.reason);
    if row.wing && other.wing && used != from {
        return Some(format!("the wing {from} uses the wing {used}: let them meet in omni-hub, in a flow"));
    }
    let allowed = for_tests || used == from || row.may_use.iter().any(|may| *may == used || *may == EVERYTHING);
    (!allowed).then(|| format!("{from} may not use {used} ({reason})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLS: &[Row] = &[
        Row { package: "omni-a", may_use: &["omni-c"], wing: true, reason: "a" },
        Row { package: "omni-b", may_use: &["omni-c"], wing: true, reason: "b" },
        Row { package: "omni-c", may_use: &[], wing: false, reason: "the ground" },
    ];

    fn sample(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![("crates/a/src/lib.rs", ""), ("crates/b/src/lib.rs", ""), ("crates/c/src/lib.rs", "")];
        all.extend(files);
        check(&House::sample(&all), WALLS).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert_eq!(
            sample(&[("crates/a/src/x.rs", "use omni_c::C; use omni_a::lib; use serde::de; use omni::x;")]),
            [""; 0]
        );
    }

    #[test]
    fn an_arrow_upwards_is_found_in_an_import_and_in_a_path() {
        let found = sample(&[("crates/c/src/x.rs", "use omni_a::A;\nfn f() { omni_b::g() }")]);
        let expected = [
            "crates/c/src/x.rs:1: omni-c may not use omni-a (the ground)",
            "crates/c/src/x.rs:2: omni-c may not use omni-b (the ground)",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn tests_may_use_anything_but_wings_never_one_another() {
        assert_eq!(sample(&[("crates/c/tests/x.rs", "use omni_a::A;")]), [""; 0]);
        let found = sample(&[("crates/a/src/x.rs", "#[cfg(test)] mod tests { use omni_b::B; }")]);
        assert_eq!(
            found,
            ["crates/a/src/x.rs:1: the wing omni-a uses the wing omni-b: let them meet in omni-hub, in a flow"]
        );
    }

    #[test]
    fn manifests_are_held_against_the_table_too() {
        let mut house =
            House::sample(&[("crates/a/src/lib.rs", ""), ("crates/b/src/lib.rs", ""), ("crates/c/src/lib.rs", "")]);
        house.tree.packages[2].dependencies = vec![("omni-a".to_owned(), false), ("omni-b".to_owned(), true)];
        house.tree.packages[0].dependencies = vec![("omni-b".to_owned(), true)];
        let found: Vec<String> = check(&house, WALLS).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/a/Cargo.toml: the wing omni-a uses the wing omni-b"));
        assert_eq!(found[1], "crates/c/Cargo.toml: omni-c may not use omni-a (the ground)");
    }

    #[test]
    fn packages_and_rows_need_one_another() {
        let found = check(&House::sample(&[("crates/d/src/lib.rs", "")]), &WALLS[2..]);
        assert_eq!(found.len(), 2);
        assert!(found[0].message.contains("no package omni-c") && found[1].message.contains("omni-d has no row"));
    }
}
