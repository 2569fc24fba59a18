//! Inside a crate no modules import one another in a circle; a child that imports its parent is the smallest one.

use crate::modules::{circles, crates, tangled};
use crate::{Finding, House, Ratchet};
use std::collections::BTreeSet;

/// A knot with more edges than this is told by its first ones, one for each pair of files.
const EDGES_TOLD_MAX: usize = 24;

/// One finding a circle, with the imports that close it, for each package that has more files in circles than the
/// ratchet's list allows it.
#[must_use]
pub fn check(house: &House, known: &Ratchet) -> Vec<Finding> {
    let mut findings = house.unparsed();
    let tangled = tangled(&house.tree, &house.walked);
    let over = |folder: &str| tangled.get(folder).is_some_and(|files| *files > known.files_in_circles(folder));
    for modules in crates(&house.tree, &house.walked).into_iter().filter(|modules| over(&modules.folder)) {
        for (group, edges) in circles(&modules.edges()) {
            let first = group.first().cloned().unwrap_or_default();
            let names: Vec<&str> = group.iter().map(String::as_str).collect();
            let mut pairs = BTreeSet::new();
            let told: Vec<String> = edges
                .iter()
                .filter(|edge| pairs.insert((&edge.from, &edge.to)))
                .take(EDGES_TOLD_MAX)
                .map(|edge| format!("  {}:{} uses {} of {}", edge.from, edge.line, edge.path, edge.to))
                .collect();
            let wish = "move what both need into a module below them";
            let message = format!("import circle of {}: {wish}\n{}", names.join(", "), told.join("\n"));
            findings.push(Finding::new(&first, 0, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::*;

    fn sample(files: &[(&str, &str)]) -> Vec<Finding> {
        check(&House::sample(files), &Ratchet::default())
    }

    #[test]
    fn siblings_through_the_face_are_no_circle() {
        let found = sample(&[
            ("crates/a/src/lib.rs", "mod x; mod y; mod z; pub use x::X; pub use y::Y;"),
            ("crates/a/src/x.rs", "use crate::Y; pub struct X(Y);"),
            ("crates/a/src/y.rs", "pub struct Y; #[cfg(test)] mod tests { use crate::X; }"),
            ("crates/a/src/z/mod.rs", "mod one; pub mod two; pub use one::One;"),
            ("crates/a/src/z/one.rs", "use crate::X; pub struct One(X);"),
            ("crates/a/src/z/two.rs", "use super::One; use crate::z::One as Other; pub struct Two(One, Other);"),
        ]);
        assert_eq!(found, []);
    }

    #[test]
    fn two_that_import_one_another_are_found_through_the_face() {
        let found = sample(&[
            ("crates/a/src/lib.rs", "mod x; mod y; pub use x::X; pub use y::Y;"),
            ("crates/a/src/x.rs", "use crate::Y; pub struct X(Y);"),
            ("crates/a/src/y.rs", "pub struct Y; fn f() { crate::X::new() }"),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.starts_with("import circle of crates/a/src/x.rs, crates/a/src/y.rs: "));
        assert!(found[0].message.contains("crates/a/src/y.rs:1 uses crate::X::new of crates/a/src/x.rs"));
    }

    #[test]
    fn a_known_knot_may_stay_and_not_grow() {
        let known = Ratchet::parse("[circles]\n\"crates/a\" = 2\n").expect("a list");
        let mut files = vec![
            ("crates/a/src/lib.rs", "mod x; mod y; mod z;"),
            ("crates/a/src/x.rs", "use crate::y::Y; pub struct X(Y);"),
            ("crates/a/src/y.rs", "use crate::x::X; pub struct Y(X);"),
        ];
        assert_eq!(check(&House::sample(&files), &known), []);
        files[2].1 = "use crate::{x::X, z::Z}; pub struct Y(X, Z);";
        files.push(("crates/a/src/z.rs", "use crate::x::X; pub struct Z(X);"));
        assert_eq!(check(&House::sample(&files), &known).len(), 1);
    }

    #[test]
    fn a_child_that_imports_its_parent_is_found() {
        let found = sample(&[
            ("crates/a/src/lib.rs", "mod x;"),
            ("crates/a/src/x/mod.rs", "mod child; pub trait Kind {} fn all() { child::make() }"),
            ("crates/a/src/x/child.rs", "use super::Kind; pub fn make() -> impl Kind {}"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.contains("child.rs:1 uses super::Kind of crates/a/src/x/mod.rs"));
    }

    #[test]
    fn a_longer_circle_is_found_also_through_a_module_imported_by_name_and_a_macro() {
        let found = sample(&[
            ("crates/a/src/main.rs", "mod x; mod y; mod z;"),
            ("crates/a/src/x.rs", "use crate::y; pub fn f() { y::f() }"),
            ("crates/a/src/y.rs", "pub fn f() { vec![crate::z::f()]; }"),
            ("crates/a/src/z.rs", "use crate::x::f as g; pub fn f() { g() }"),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("x.rs, crates/a/src/y.rs, crates/a/src/z.rs"), "{found:?}");
    }
}
