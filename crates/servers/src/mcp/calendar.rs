//! Dates and times as text (ISO 8601, UTC), without a clock or a time zone database.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day.
pub(crate) const DAY_S: i64 = 86_400;

/// Year, month and day of a count of days since 1970-01-01 (proleptic Gregorian calendar).
pub(crate) fn civil_of(days: i64) -> (i64, u32, u32) {
    // Years begin in March here, so that the leap day is the last of its year; 146,097 days are 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

/// Days since 1970-01-01 of a date; `None` where there is no such date.
pub(crate) fn days_of(year: i64, month: u32, day: u32) -> Option<i64> {
    if !(1..=12).contains(&month) || day == 0 || !(-9_999..=9_999).contains(&year) {
        return None;
    }
    let from_march = (i64::from(month) + 9) % 12;
    let shifted_year = year - i64::from(month <= 2);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = shifted_year.div_euclid(400) * 146_097 + day_of_era - 719_468;
    // A day that the month does not have comes back as another date.
    (civil_of(days) == (year, month, day)).then_some(days)
}

/// `2026-07-28T10:00:00Z` of seconds since 1970.
pub(crate) fn timestamp(seconds: i64) -> String {
    let (year, month, day) = civil_of(seconds.div_euclid(DAY_S));
    let of_day = seconds.rem_euclid(DAY_S);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The same of a file's time.
pub(crate) fn timestamp_of(time: SystemTime) -> String {
    let seconds = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    };
    timestamp(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for days in (-800_000..800_000).step_by(13) {
            let (year, month, day) = civil_of(days);
            assert_eq!(days_of(year, month, day), Some(days), "{year}-{month}-{day}");
        }
        assert_eq!(days_of(2024, 2, 29), Some(19_782));
        assert_eq!(days_of(2023, 2, 29), None);
        assert_eq!(days_of(2024, 13, 1), None);
        assert_eq!(days_of(2024, 4, 31), None);
    }

    #[test]
    fn timestamps_are_iso_8601() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(1_785_232_799), "2026-07-28T09:59:59Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59Z");
    }
}
