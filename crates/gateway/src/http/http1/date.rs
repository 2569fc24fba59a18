//! The field `Date` of an answer (RFC 9110 section 6.6.1), written once a second on each thread.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

/// Characters of an IMF-fixdate.
const LENGTH: usize = 29;

thread_local! {
    static WRITTEN: RefCell<(u64, [u8; LENGTH])> = const { RefCell::new((0, [b' '; LENGTH])) };
}

/// Appends the time of now.
pub(super) fn append_date(out: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    WRITTEN.with_borrow_mut(|(written, text)| {
        if *written != second {
            let date = httpdate::fmt_http_date(now);
            if let Ok(date) = <[u8; LENGTH]>::try_from(date.as_bytes()) {
                (*written, *text) = (second, date);
            }
        }
        out.extend_from_slice(text);
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, SystemTime};

    use super::append_date;

    #[test]
    fn gw_1_the_date_is_that_of_now() {
        for _ in 0..2 {
            let mut out = Vec::new();
            append_date(&mut out);
            let said = httpdate::parse_http_date(&String::from_utf8(out).unwrap()).unwrap();
            assert!(SystemTime::now().duration_since(said).unwrap() < Duration::from_secs(60));
        }
    }
}
