//! Times and spans of time, as people write and read them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// `2026-11-22 18:04` (UTC).
pub(crate) fn date(at: i64) -> String {
    let (days, rest) = (at.div_euclid(86_400), at.rem_euclid(86_400));
    // Days to a date of the Gregorian calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", rest / 3600, rest / 60 % 60)
}

/// `3 min ago`, `in 2 d`.
pub(crate) fn from_now(at: i64) -> String {
    let away = at - now();
    let span = match away.abs() {
        seconds @ 0..90 => format!("{seconds} s"),
        seconds @ 90..5_400 => format!("{} min", seconds / 60),
        seconds @ 5_400..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    };
    if away > 0 { format!("in {span}") } else { format!("{span} ago") }
}

/// Reads a span of time: `90d`, `12h`, `30m`, `45s`.
pub(crate) fn span(text: &str) -> Result<i64, String> {
    let bad = || format!("`{text}` is no span of time: write a number and one of s, m, h, d, w, such as `90d`");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        Some('w') => 604_800,
        _ => return Err(bad()),
    };
    let number: i64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    number.checked_mul(unit).filter(|seconds| *seconds >= 0).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::{date, from_now, now, span};

    #[test]
    fn dates_and_spans_read_as_people_write_them() {
        assert_eq!(date(0), "1970-01-01 00:00");
        assert_eq!(date(951_868_800), "2000-03-01 00:00");
        assert_eq!(date(1_709_164_800), "2024-02-29 00:00");
        assert_eq!(date(1_795_370_644), "2026-11-22 18:04");
        assert_eq!(span("90d"), Ok(7_776_000));
        assert_eq!(span("0s"), Ok(0));
        for bad in ["", "d", "9", "-1d", "1.5h", "9999999999999999d", "1ü"] {
            assert!(span(bad).is_err(), "{bad}");
        }
        assert_eq!(from_now(now() + 7_200), "in 2 h");
        assert_eq!(from_now(now() - 100), "1 min ago");
    }
}
