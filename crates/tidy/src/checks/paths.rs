//! Paths a reader can follow: no `super::super`, no glob imports but `use super::*` and preludes in tests.

use crate::walk::Kind;
use crate::{Finding, House};

/// Paths that climb twice, and globs.
#[must_use]
pub fn check(house: &House) -> Vec<Finding> {
    let mut findings = house.unparsed();
    for file in &house.walked {
        for used in &file.used {
            let starts =
                |with: &[&str]| used.segments.iter().map(String::as_str).take(with.len()).eq(with.iter().copied());
            if starts(&["super", "super"]) || starts(&["self", "super", "super"]) {
                findings.push(Finding::new(&file.path, used.line, "`super::super`: write the path from `crate::`"));
            }
            let last = used.segments.last().map(String::as_str);
            // Clippy's wildcard_imports lets `pub use x::*` pass; a face that says what it shows is what faces are for.
            // A prelude in tests stays: proptest's macros want theirs.
            let usual = used.test && (used.segments == ["super"] || last == Some("prelude"));
            if used.kind == Kind::Glob && !usual {
                let message = format!("`{}::*`: name what is taken", used.segments.join("::"));
                findings.push(Finding::new(&file.path, used.line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        check(&House::sample(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn climbing_twice_is_found_in_imports_expressions_and_macros() {
        let text =
            "use super::super::A;\nfn f() { super::super::g(); }\nfn h() { vec![super::super::g()]; }\nuse super::B;\n";
        assert_eq!(found("crates/a/src/x.rs", text), [1, 2, 3]);
    }

    #[test]
    fn globs_are_found_also_when_they_are_public_but_not_the_usual_one_of_tests() {
        assert_eq!(found("crates/a/src/x.rs", "pub use a::*;\nuse super::*;\nuse p::prelude::*;\n"), [1, 2, 3]);
        let tests = "#[cfg(test)] mod tests {\nuse super::*;\nuse p::prelude::*;\nuse other::*; }\n";
        assert_eq!(found("crates/a/src/x.rs", tests), [4]);
        assert_eq!(found("crates/a/src/x/tests.rs", "use super::*;\n"), [0; 0]);
    }
}
