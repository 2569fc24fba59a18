//! `lib.rs` is a face: documentation, `mod`, `pub use`; it defines nothing that its children could import.

use crate::walk::{attributes, is_cfg_test};
use crate::{Finding, House};
use syn::spanned::Spanned as _;

/// Every item of a `lib.rs` that is no module in its own file and no `pub use`.
#[must_use]
pub fn check(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in house.tree.rust().filter(|source| source.path.ends_with("/src/lib.rs")) {
        let Ok(file) = syn::parse_file(&source.text) else { continue };
        for item in file.items.iter().filter(|item| !belongs(item)) {
            let message = "lib.rs is a face: only documentation, `mod x;` and `pub use`; give this a file of its own";
            findings.push(Finding::new(&source.path, item.span().start().line, message));
        }
    }
    findings
}

fn belongs(item: &syn::Item) -> bool {
    match item {
        syn::Item::Mod(module) => module.content.is_none() || attributes(item).iter().any(is_cfg_test),
        syn::Item::Use(import) => !matches!(import.vis, syn::Visibility::Inherited),
        _ => attributes(item).iter().any(is_cfg_test),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&House::sample(&[("crates/a/src/lib.rs", text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_face_passes() {
        assert_eq!(
            lines("//! What.\n#![warn(x)]\nmod a;\npub mod b;\npub use a::A;\n#[cfg(test)]\nmod t { fn f() {} }\n"),
            [0; 0]
        );
    }

    #[test]
    fn whatever_defines_or_imports_is_found() {
        assert_eq!(lines("mod a;\nuse a::A;\npub fn f() {}\nmod b { }\npub struct S;\nimpl S {}\n"), [2, 3, 4, 5, 6]);
    }

    #[test]
    fn other_files_are_free() {
        assert_eq!(check(&House::sample(&[("crates/a/src/x.rs", "pub fn f() {}")])), []);
    }
}
