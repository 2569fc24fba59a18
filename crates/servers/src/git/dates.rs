//! Points in time as people write them in a log query.

use crate::mcp::calendar::{DAY_S, days_of};

/// Whether a date without a time of day means its first second or its last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Start,
    End,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Seconds since 1970 of a text; `now` is where relative times start.
pub(crate) fn parse_date(text: &str, now: i64, edge: Edge) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    match text.as_str() {
        "now" => return Some(now),
        "today" => return Some(at_edge(now.div_euclid(DAY_S), edge)),
        "yesterday" => return Some(at_edge(now.div_euclid(DAY_S) - 1, edge)),
        _ => {}
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().ok();
    }
    if let Some(span) = text.strip_suffix(" ago") {
        return now.checked_sub(seconds_of(span)?);
    }
    iso(&text, edge).or_else(|| named_month(&text, edge))
}

fn at_edge(days: i64, edge: Edge) -> i64 {
    days * DAY_S + if edge == Edge::End { DAY_S - 1 } else { 0 }
}

/// `2 weeks`, `1 day`; a month counts 30 days and a year 365, as in Git.
fn seconds_of(span: &str) -> Option<i64> {
    let (count, unit) = span.split_once([' ', '.'])?;
    let count: i64 = if matches!(count, "a" | "an" | "one") { 1 } else { count.parse().ok()? };
    let unit = match unit.trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        "day" => DAY_S,
        "week" => 7 * DAY_S,
        "month" => 30 * DAY_S,
        "year" => 365 * DAY_S,
        _ => return None,
    };
    count.checked_mul(unit)
}

/// `2026-01-15`, with or without a time and a zone.
fn iso(text: &str, edge: Edge) -> Option<i64> {
    let (date, time) = match text.split_once(['t', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 {
        return None;
    }
    let days = days_of(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    match time {
        None => Some(at_edge(days, edge)),
        Some(time) => Some(days * DAY_S + time_of_day(time.trim())?),
    }
}

/// `14:30`, `14:30:25`, `14:30:25.5+02:00`, `14:30:25z`: seconds since midnight UTC, negative or over a day with a zone.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, offset) = match text.find(['z', '+', '-']) {
        Some(at) => (text[..at].trim(), zone(&text[at..])?),
        None => (text, 0),
    };
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let mut parts = clock.splitn(3, ':');
    let hour: i64 = parts.next()?.parse().ok()?;
    let minute: i64 = parts.next()?.parse().ok()?;
    let second: i64 = parts.next().map_or(Some(0), |second| second.parse().ok())?;
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
    fits.then_some(hour * 3_600 + minute * 60 + second - offset)
}

fn zone(text: &str) -> Option<i64> {
    if text == "z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|digit| *digit != ':').collect();
    if digits.len() != 4 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// `Jan 15 2026`, `15 January 2026`, `January 15, 2026`.
fn named_month(text: &str, edge: Edge) -> Option<i64> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [first, second, year] = words.as_slice() else { return None };
    let month_of = |word: &str| {
        let month = MONTHS.iter().position(|month| word.len() >= 3 && word.starts_with(month))?;
        u32::try_from(month + 1).ok()
    };
    let (month, day) = match month_of(first) {
        Some(month) => (month, second),
        None => (month_of(second)?, first),
    };
    Some(at_edge(days_of(year.parse().ok()?, month, day.parse().ok()?)?, edge))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-28T09:59:59Z
    const NOW: i64 = 1_785_232_799;

    #[test]
    fn dates_are_read_as_people_write_them() {
        let jan_15 = 1_768_435_200;
        let cases = [
            ("2026-01-15", Some(jan_15)),
            ("2026-01-15T14:30:25", Some(jan_15 + 52_225)),
            ("2026-01-15 14:30", Some(jan_15 + 52_200)),
            ("2026-01-15T14:30:25.123Z", Some(jan_15 + 52_225)),
            ("2026-01-15T14:30:25+02:00", Some(jan_15 + 45_025)),
            ("2026-01-15T14:30:25-0930", Some(jan_15 + 86_425)),
            ("Jan 15 2026", Some(jan_15)),
            ("15 January 2026", Some(jan_15)),
            ("January 15, 2026", Some(jan_15)),
            ("@5", Some(5)),
            ("now", Some(NOW)),
            ("2 weeks ago", Some(NOW - 14 * DAY_S)),
            ("1 day ago", Some(NOW - DAY_S)),
            ("yesterday", Some((NOW / DAY_S - 1) * DAY_S)),
            ("2026-02-30", None),
            ("2026-01-15T25:00", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999 years ago", None),
            ("9223372036854775807 years ago", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_date(text, NOW, Edge::Start), expected, "{text}");
        }
        assert_eq!(parse_date("2026-01-15", NOW, Edge::End), Some(jan_15 + DAY_S - 1));
    }
}
