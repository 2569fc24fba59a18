//! Events as lines for people: a column for when, how it ended, who, what, on what, and why.

use std::env;
use std::ffi::OsStr;
use std::io::IsTerminal as _;

use omni_audit::Seen;
use omni_audit::query::instant;

use crate::cli::audit::rows_width::{COLUMNS, Widths, cut, pad};
use crate::cli::printable::printable;
use crate::cli::say::say;

const HEADER: [&str; COLUMNS] = ["ID", "TIME (UTC)", "OUTCOME", "WHO", "ACTION", "ON", "WHY"];
/// The column of the outcome, which has the colour.
const OUTCOME: usize = 2;
const RESET: &str = "\u{1b}[0m";

/// How lines are laid out: as wide as the terminal, or as they need where there is none.
#[derive(Debug)]
pub(crate) struct Rows {
    width: Option<usize>,
    colours: bool,
    widths: Widths,
    headed: bool,
}

impl Rows {
    /// For standard output.
    pub(crate) fn to_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let columns = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let measured = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let width = columns.or_else(|| if terminal { measured() } else { None });
        let colours = are_wanted(terminal, env::var_os("NO_COLOR").as_deref());
        Self { width, colours, widths: Widths::default(), headed: false }
    }

    /// Prints events, with a header above the first ones. Columns keep their width once a line is printed.
    pub(crate) fn print(&mut self, events: &[Seen]) {
        let rows: Vec<[String; COLUMNS]> = events.iter().map(|event| self.row(event)).collect();
        if !self.headed && !rows.is_empty() {
            self.widths = Widths::of(&rows, &HEADER, self.width);
            self.headed = true;
            say!("{}", self.line(&HEADER.map(str::to_owned), ""));
        }
        for (row, event) in rows.iter().zip(events) {
            say!("{}", self.painted(row, event));
        }
    }

    fn row(&self, event: &Seen) -> [String; COLUMNS] {
        let text = |name: &str| event.text(name).map(printable).unwrap_or_default();
        let when = instant(event.time_us).replace('T', " ");
        // Narrow terminals do without the year.
        let from = if self.width.is_some_and(|width| width < 100) { 5 } else { 0 };
        let on = match (text("server"), text("name")) {
            (server, name) if server.is_empty() => name,
            (server, name) if name.is_empty() => server,
            (server, name) => format!("{server}:{name}"),
        };
        let mut action = text("action");
        if let Some(phase) = event.text("phase").filter(|phase| *phase == "begun") {
            action = format!("{action} ({phase})");
        }
        [
            event.id(),
            when.get(from..19).unwrap_or_default().to_owned(),
            text("outcome"),
            who(event),
            action,
            on,
            why(event),
        ]
    }

    fn painted(&self, row: &[String; COLUMNS], event: &Seen) -> String {
        self.line(row, if self.colours { colour(event) } else { "" })
    }

    fn line(&self, row: &[String; COLUMNS], colour: &str) -> String {
        let mut line = String::new();
        for (column, text) in row.iter().enumerate() {
            let width = self.widths.of[column];
            if width == 0 {
                continue;
            }
            let last = row[column + 1..]
                .iter()
                .zip(&self.widths.of[column + 1..])
                .all(|(rest, width)| rest.is_empty() || *width == 0);
            let cell = cut(text, width);
            let cell = if last { cell } else { pad(&cell, width) };
            match colour {
                "" => line.push_str(&cell),
                colour if column == OUTCOME => line.push_str(&format!("{colour}{cell}{RESET}")),
                _ => line.push_str(&cell),
            }
            if last {
                break;
            }
            line.push_str("  ");
        }
        line
    }
}

/// Who it was, as far as that can be read.
pub(crate) fn who(event: &Seen) -> String {
    match (event.who(), &event.closed.personal, event.text("principal_kind")) {
        (Some(who), _, _) => printable(&who),
        (None, Some(why), kind) if why == "erased" => {
            format!("{}(erased)", kind.map(|kind| format!("{kind}:")).unwrap_or_default())
        }
        (None, Some(_), kind) => format!("{}(unreadable)", kind.map(|kind| format!("{kind}:")).unwrap_or_default()),
        (None, None, kind) => kind.map(printable).unwrap_or_default(),
    }
}

fn why(event: &Seen) -> String {
    match (event.text("reason"), &event.closed.internal) {
        (_, Some(why)) => format!("cannot be read: {}", printable(why)),
        (Some(reason), None) => printable(reason),
        (None, None) => event.text("error").map(printable).unwrap_or_default(),
    }
}

/// Colours are for people at a terminal who have not said that they want none.
fn are_wanted(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

fn colour(event: &Seen) -> &'static str {
    match event.text("outcome") {
        Some("success") => "\u{1b}[32m",
        Some("denied") => "\u{1b}[31m",
        Some("failed") => "\u{1b}[33m",
        _ => "\u{1b}[2m",
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use omni_audit::{Closed, Field, Seen, Value};

    use super::{HEADER, Rows, Widths, are_wanted};

    fn event(outcome: &str) -> Seen {
        let field = |name: &'static str, text: &str| Field::hub(name, Value::from(text));
        let fields = vec![field("outcome", outcome), field("action", "tools/call"), field("name", "\u{1b}[31mred")];
        Seen { log: 1, index: 7, time_us: 1_795_348_800_000_000, fields, closed: Closed::default() }
    }

    fn painted(outcome: &str, colours: bool) -> String {
        let mut rows = Rows { width: None, colours, widths: Widths::default(), headed: true };
        let event = event(outcome);
        let row = rows.row(&event);
        rows.widths = Widths::of(std::slice::from_ref(&row), &HEADER, None);
        rows.painted(&row, &event)
    }

    #[test]
    fn diag_3_the_outcome_has_the_colour_and_nothing_else_has() {
        for (outcome, colour) in [("success", 32), ("denied", 31), ("failed", 33), ("cancelled", 2), ("pending", 2)] {
            let line = painted(outcome, true);
            assert!(line.contains(&format!("\u{1b}[{colour}m{outcome}")), "{line:?}");
            assert_eq!(
                line.matches('\u{1b}').count(),
                2,
                "begun and ended once, and not by what a stranger wrote: {line:?}"
            );
            assert_eq!(painted(outcome, false).matches('\u{1b}').count(), 0);
        }
    }

    #[test]
    fn diag_3_colours_are_for_terminals() {
        let no_color = Some(OsStr::new("1"));
        let all = [(true, None), (true, Some(OsStr::new(""))), (true, no_color), (false, None), (false, no_color)];
        assert_eq!(all.map(|(terminal, no)| are_wanted(terminal, no)), [true, true, false, false, false]);
    }
}
