//! A lint is waived outside tests only with its reason in view. (That `unwrap`, `todo!` and their kin are lints at all is clippy's.)

use crate::{Finding, House};

/// `#[allow(…)]` and `#[expect(…)]` without `reason = "…"` and without a comment on the line or above it.
#[must_use]
pub fn check(house: &House) -> Vec<Finding> {
    let mut findings = house.unparsed();
    for file in &house.walked {
        for waiver in file.waivers.iter().filter(|waiver| !waiver.has_reason) {
            findings.push(Finding::new(
                &file.path,
                waiver.line,
                "a lint is waived without a reason: add `reason = \"…\"`",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<usize> {
        check(&House::sample(&[("crates/a/src/x.rs", text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_waiver_without_a_reason_is_found_wherever_it_stands() {
        let text = "#![allow(a)]\nstruct S;\n#[expect(b)]\nfn f() {\n    #[allow(c)]\n    let x = 1;\n}\n#[allow(d)]\nuse e::f;\n";
        assert_eq!(found(text), [1, 3, 5, 8]);
    }

    #[test]
    fn a_reason_may_be_an_argument_or_a_comment() {
        assert_eq!(
            found(
                "#[allow(a, reason = \"b\")]\nfn f() {}\n// Because.\n#[allow(c)]\nfn g() {}\n#[allow(d)] // Why.\nfn h() {}\n"
            ),
            [0; 0]
        );
    }

    #[test]
    fn tests_are_free() {
        assert_eq!(found("#[cfg(test)]\n#[allow(a)]\nmod tests { #![allow(b)] #[allow(c)] fn f() {} }\n"), [0; 0]);
    }
}
