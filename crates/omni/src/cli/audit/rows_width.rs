//! How wide columns are, and text that is made to fit.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns.
pub(crate) const COLUMNS: usize = 7;
/// Between columns.
const GAP: usize = 2;
/// What a column keeps at least where the terminal is too narrow for all.
const LEAST: [usize; COLUMNS] = [20, 14, 9, 10, 10, 12, 6];

/// Widths of the columns; one of width 0 is left out.
#[derive(Debug, Default)]
pub(crate) struct Widths {
    pub(crate) of: [usize; COLUMNS],
}

impl Widths {
    /// As wide as the rows need, or as `width` has room for: the widest column gives way first.
    pub(crate) fn of(rows: &[[String; COLUMNS]], header: &[&str; COLUMNS], width: Option<usize>) -> Self {
        let mut of = header.map(str::len);
        for row in rows {
            for (column, text) in row.iter().enumerate() {
                of[column] = of[column].max(text.width());
            }
        }
        let Some(width) = width else { return Self { of } };
        let room = width.saturating_sub(GAP * (COLUMNS - 1));
        while of.iter().sum::<usize>() > room {
            let widest = (0..COLUMNS).filter(|column| of[*column] > LEAST[*column]).max_by_key(|column| of[*column]);
            let Some(widest) = widest else { break };
            of[widest] -= 1;
        }
        Self { of }
    }
}

/// Text in so many columns of the terminal; what is longer ends in `…`.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= width {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// Text with blanks after it.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::{Widths, cut, pad};

    #[test]
    fn columns_give_way_from_the_widest() {
        let row = [
            "1",
            "2026-11-22 18:04:05",
            "denied",
            "key:ci",
            "tools/call",
            "git:git_commit",
            "no policy allows it at this hour",
        ];
        let rows = [row.map(str::to_owned)];
        let header = ["ID", "TIME (UTC)", "OUTCOME", "WHO", "ACTION", "ON", "WHY"];
        let wide = Widths::of(&rows, &header, None);
        assert_eq!(wide.of, [2, 19, 7, 6, 10, 14, 32]);
        let narrow = Widths::of(&rows, &header, Some(80));
        assert_eq!(narrow.of.iter().sum::<usize>() + 12, 80);
        assert_eq!(&narrow.of[..4], &[2, 15, 7, 6]);
        assert!(Widths::of(&rows, &header, Some(10)).of.iter().all(|width| *width > 0));
    }

    #[test]
    fn text_is_cut_by_what_it_takes_on_the_screen() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!(pad("漢", 4), "漢  ");
    }
}
