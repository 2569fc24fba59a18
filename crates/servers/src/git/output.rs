//! Text of bounded length that says how much was left out, and times as Git writes them.

use git2::Time;

use crate::mcp::calendar::{DAY_S, civil_of};

/// Bytes of text in one answer.
pub(crate) const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// Collects text up to the bound and counts the rest.
#[derive(Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    left_out: usize,
}

impl Output {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = OUTPUT_BYTES_MAX - self.bytes.len();
        // Once something was left out nothing more is taken, so that the text has one gap, at its end.
        let taken = if self.left_out > 0 { 0 } else { room.min(bytes.len()) };
        self.bytes.extend_from_slice(&bytes[..taken]);
        self.left_out += bytes.len() - taken;
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.push(line.as_bytes());
        self.push(b"\n");
    }

    /// The text; bytes that are not UTF-8 are shown as replacement characters.
    pub(crate) fn into_text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if self.left_out > 0 {
            text.push_str(&format!("\n(cut: {} more bytes are not shown)", self.left_out));
        }
        text
    }
}

/// `2026-07-28 10:00:00 +0200`, in the time zone of who wrote it.
pub(crate) fn written(time: Time) -> String {
    let offset = i64::from(time.offset_minutes());
    let local = time.seconds().saturating_add(offset * 60);
    let (year, month, day) = civil_of(local.div_euclid(DAY_S));
    let of_day = local.rem_euclid(DAY_S);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let sign = if offset < 0 { '-' } else { '+' };
    let (offset_hour, offset_minute) = (offset.abs() / 60, offset.abs() % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {sign}{offset_hour:02}{offset_minute:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_over_the_bound_says_how_much_is_missing() {
        let mut output = Output::default();
        output.push(&vec![b'x'; OUTPUT_BYTES_MAX - 1]);
        output.push(b"abc");
        output.push(b"d");
        let text = output.into_text();
        assert!(text.ends_with("xa\n(cut: 3 more bytes are not shown)"), "{}", &text[text.len() - 50..]);
    }

    #[test]
    fn times_are_in_the_writers_zone() {
        assert_eq!(written(Time::new(1_785_232_799, 120)), "2026-07-28 11:59:59 +0200");
        assert_eq!(written(Time::new(0, -570)), "1969-12-31 14:30:00 -0930");
    }
}
