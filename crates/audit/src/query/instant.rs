//! Points in time as people write them (RFC 3339), and as the log keeps them: microseconds since 1970-01-01 UTC.

use std::fmt::Write as _;

const SECOND: i64 = 1_000_000;
const DAY_S: i64 = 86_400;
/// Digits of a second's fraction that are looked at; further ones are smaller than a microsecond.
const FRACTION_DIGITS: usize = 6;

/// Reads `2026-11-22T18:04:05.123Z`, an offset such as `+02:00`, or less: no zone is UTC, no time is midnight.
pub fn parse_instant(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let year = number(&mut rest, 4)?;
    literal(&mut rest, "-")?;
    let month = number(&mut rest, 2).filter(|month| (1..=12).contains(month))?;
    literal(&mut rest, "-")?;
    let day = number(&mut rest, 2).filter(|day| (1..=days_in(year, month)).contains(day))?;
    let midnight = days_from_civil(year, month, day) * DAY_S;
    if rest.is_empty() {
        return Some(midnight * SECOND);
    }
    literal(&mut rest, "T").or_else(|| literal(&mut rest, "t")).or_else(|| literal(&mut rest, " "))?;
    let hour = number(&mut rest, 2).filter(|hour| *hour < 24)?;
    literal(&mut rest, ":")?;
    let minute = number(&mut rest, 2).filter(|minute| *minute < 60)?;
    let mut second = 0;
    let mut fraction = 0;
    if literal(&mut rest, ":").is_some() {
        // A leap second is told as the last one before it: the log's clock has none.
        second = number(&mut rest, 2).filter(|second| *second <= 60)?.min(59);
        if literal(&mut rest, ".").is_some() {
            fraction = fraction_of(&mut rest)?;
        }
    }
    let offset = zone(rest)?;
    Some((midnight + hour * 3600 + minute * 60 + second - offset) * SECOND + fraction)
}

/// `2026-11-22T18:04:05.123456Z`; what is before year 0 or after 9999 is shown as the nearest that can be written.
#[must_use]
pub fn instant(at_us: i64) -> String {
    let (year, month, day, of_day) = civil(at_us);
    let (second, micros) = (of_day / SECOND, of_day % SECOND);
    let mut text = String::with_capacity(27);
    let _ = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{micros:06}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    text
}

/// `2026-11-22`, the day that a time is in.
#[must_use]
pub fn day(at_us: i64) -> String {
    instant(at_us)[..10].to_owned()
}

/// Year, month, day, and microseconds of that day.
fn civil(at_us: i64) -> (i64, i64, i64, i64) {
    let first = days_from_civil(0, 1, 1) * DAY_S * SECOND;
    let last = (days_from_civil(9999, 12, 31) + 1) * DAY_S * SECOND - 1;
    let at_us = at_us.clamp(first, last);
    let (days, of_day) = (at_us.div_euclid(DAY_S * SECOND), at_us.rem_euclid(DAY_S * SECOND));
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the odd day is the last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1, of_day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn literal(rest: &mut &str, text: &str) -> Option<()> {
    *rest = rest.strip_prefix(text)?;
    Some(())
}

/// Exactly so many digits.
fn number(rest: &mut &str, digits: usize) -> Option<i64> {
    let (head, tail) = rest.split_at_checked(digits)?;
    let number = head.bytes().all(|byte| byte.is_ascii_digit()).then(|| head.parse().ok())??;
    *rest = tail;
    Some(number)
}

fn fraction_of(rest: &mut &str) -> Option<i64> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, tail) = rest.split_at(end);
    *rest = tail;
    if digits.is_empty() {
        return None;
    }
    let kept = &digits[..digits.len().min(FRACTION_DIGITS)];
    let mut fraction: i64 = kept.parse().ok()?;
    for _ in kept.len()..FRACTION_DIGITS {
        fraction *= 10;
    }
    Some(fraction)
}

/// Seconds east of Greenwich.
fn zone(mut rest: &str) -> Option<i64> {
    if rest.is_empty() || rest == "Z" || rest == "z" {
        return Some(0);
    }
    let east = if literal(&mut rest, "+").is_some() {
        1
    } else {
        literal(&mut rest, "-")?;
        -1
    };
    let hours = number(&mut rest, 2).filter(|hours| *hours < 24)?;
    literal(&mut rest, ":")?;
    let minutes = number(&mut rest, 2).filter(|minutes| *minutes < 60)?;
    rest.is_empty().then_some(east * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{day, instant, parse_instant};

    #[test]
    fn times_read_as_people_write_them() {
        let noon = Some(1_795_348_800_000_000);
        assert_eq!(parse_instant("2026-11-22T12:00:00Z"), noon);
        for same in
            ["2026-11-22T12:00", "2026-11-22 12:00:00.0000004z", "2026-11-22T14:30+02:30", " 2026-11-22t11:00-01:00"]
        {
            assert_eq!(parse_instant(same), noon, "{same}");
        }
        assert_eq!(parse_instant("1970-01-01"), Some(0));
        assert_eq!(parse_instant("1970-01-01T00:00:00.5Z"), Some(500_000));
        assert_eq!(parse_instant("2024-02-29").map(day).as_deref(), Some("2024-02-29"));
        for bad in [
            "",
            "today",
            "2026",
            "2026-13-01",
            "2026-00-01",
            "2025-02-29",
            "2026-11-31",
            "2026-11-22T",
            "2026-11-22T24:00",
            "2026-11-22T12:60",
            "2026-11-22T12:00:61Z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T12:00Zx",
            "2026-11-22T12:00+2",
            "+026-11-22",
            "2026-11-2ü",
            "２０２６-11-22",
        ] {
            assert_eq!(parse_instant(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(at in parse_instant("0000-01-01").unwrap_or(0)..=253_402_300_799_999_999_i64) {
            prop_assert_eq!(parse_instant(&instant(at)), Some(at));
        }

        #[test]
        fn any_time_can_be_written(at in any::<i64>()) {
            prop_assert!(parse_instant(&instant(at)).is_some());
        }
    }
}
