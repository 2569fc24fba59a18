//! Cells of the report's tables: a median with its range, and a target with its verdict.

use crate::report::chart::figure;
use crate::report::results::Series;
use std::fmt::Write;

pub(super) fn target(text: &mut String, what: &str, bound: &str, reached: Option<Series>, met: impl Fn(f64) -> bool) {
    let verdict = reached.map_or("", |series| if met(series.median) { "met" } else { "**missed**" });
    let _ = writeln!(text, "| {what} | {bound} | {} | {verdict} |", reached.map_or("not measured".to_owned(), ranged));
}

pub(super) fn ranged(series: Series) -> String {
    let Series { median, low, high, count } = series;
    if count < 2 { figure(median) } else { format!("{} ({} – {})", figure(median), figure(low), figure(high)) }
}

pub(super) fn cell(series: Option<Series>) -> String {
    series.map_or("–".to_owned(), ranged)
}

pub(super) fn middle(series: Option<Series>) -> String {
    series.map_or("–".to_owned(), |series| figure(series.median))
}
