//! A call's context as Cedar takes it: as much of it as the policies that are asked read.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use cedar_policy::{Context, RestrictedExpression};

use crate::policy::access::Surroundings;
use crate::policy::reads::Reads;

/// What is known of a call's surroundings, and `members`.
///
/// # Errors
/// When Cedar does not take it.
pub(super) fn context(
    around: &Surroundings<'_>,
    reads: Reads,
    mut members: Vec<(String, RestrictedExpression)>,
) -> Result<Context, String> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    if reads.loopback {
        members.push(("loopback".to_owned(), RestrictedExpression::new_bool(around.is_loopback())));
    }
    if let Some(address) = around.address.filter(|_| reads.address) {
        members.push(("address".to_owned(), ip(address)));
    }
    if let Some(client) = around.client.filter(|_| reads.client) {
        members.push(("client".to_owned(), text(client)));
    }
    if reads.revision {
        members.push(("revision".to_owned(), text(around.revision)));
    }
    Context::from_pairs(members).map_err(|e| e.to_string())
}

/// An IPv4 address that came in the form of IPv6 is the IPv4 address that rules mean.
fn ip(address: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(address.to_canonical().to_string())
}

/// The time.
pub(super) fn now() -> RestrictedExpression {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, millis) = (since.as_secs() / 86_400, since.as_millis() % 86_400_000);
    let (year, month, day) = date(i64::try_from(days).unwrap_or(0));
    let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    RestrictedExpression::new_datetime(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        millis % 1_000
    ))
}

/// Year, month and day, `days` after 1 January 1970 (the proleptic Gregorian calendar, counted from 1 March).
const fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn tool_2_days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_513), (2026, 3, 1));
    }
}
