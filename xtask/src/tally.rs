//! How many tests passed, failed and were skipped, out of what the test runners leave behind.

use anyhow::{Context as _, Result};

/// Counts of tests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// From the JUnit report that nextest writes (`.config/nextest.toml`): the sums on its root element.
    pub(crate) fn of_junit(report: &str) -> Result<Self> {
        let start = report.find("<testsuites ").context("the JUnit report has no <testsuites>")?;
        let element = report[start..].split('>').next().unwrap_or_default();
        let number = |name: &str| -> Result<u64> {
            let value = element.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
            let value = value.with_context(|| format!("the JUnit report does not say `{name}`"))?;
            value.parse().with_context(|| format!("the JUnit report says {name}=\"{value}\""))
        };
        let (tests, failed) = (number("tests")?, number("failures")? + number("errors")?);
        Ok(Self { passed: tests.saturating_sub(failed), failed })
    }

    /// From what `cargo test` prints: every `test result:` line.
    pub(crate) fn of_cargo_test(output: &str) -> Self {
        let mut tally = Self::default();
        for line in output.lines().filter_map(|line| line.trim().strip_prefix("test result: ")) {
            let before = |word: &str| {
                let number = line.split(word).next().and_then(|left| left.split_whitespace().next_back());
                number.and_then(|number| number.parse::<u64>().ok()).unwrap_or_default()
            };
            tally.passed += before(" passed");
            tally.failed += before(" failed");
        }
        tally
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_junit_report_is_summed_from_its_root() {
        let report = "<?xml version=\"1.0\"?>\n<testsuites name=\"nextest-run\" tests=\"12\" failures=\"2\" errors=\"1\" time=\"1\">\n\
                      <testsuite name=\"a\" tests=\"5\" failures=\"0\">";
        assert_eq!(Tally::of_junit(report).unwrap(), Tally { passed: 9, failed: 3 });
        Tally::of_junit("<testsuites name=\"x\">").expect_err("no sums");
        Tally::of_junit("").expect_err("no report");
    }

    #[test]
    fn every_result_line_of_cargo_test_counts() {
        let output = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored\n\ntest result: FAILED. 3 passed; 4 failed; 0 ignored\n";
        assert_eq!(Tally::of_cargo_test(output), Tally { passed: 5, failed: 4 });
        assert_eq!(Tally::of_cargo_test("running 0 tests\n"), Tally::default());
    }
}
