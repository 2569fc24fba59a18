//! A Markdown text as its sections: cut at headings, joined again to the byte, and laid over another's.

use crate::bases::Strategy;

/// One line: with its end, and without.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) whole: &'a str,
    pub(crate) text: &'a str,
    /// Within a fenced block of code, or its fence.
    pub(crate) in_fence: bool,
}

/// A heading and what stands below it, up to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    /// Level and title in lower case; `None` of what stands before the first heading.
    key: Option<(usize, String)>,
    heading: String,
    body: String,
}

/// The lines of `text`.
pub(crate) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut fence: Option<(char, usize)> = None;
    text.split_inclusive('\n')
        .map(|whole| {
            let text = whole.trim_end_matches(['\n', '\r']);
            let mark = fence_of(text);
            let in_fence = fence.is_some() || mark.is_some();
            match (fence, mark) {
                (None, Some((mark, width, _))) => fence = Some((mark, width)),
                (Some((open, least)), Some((mark, width, true))) if mark == open && width >= least => fence = None,
                _ => {}
            }
            Line { whole, text, in_fence }
        })
        .collect()
}

/// The character of a fence, its width, and whether it may close one (CommonMark, "Fenced code blocks").
fn fence_of(line: &str) -> Option<(char, usize, bool)> {
    let rest = line.trim_start_matches(' ');
    if line.len() - rest.len() > 3 {
        return None;
    }
    let mark = rest.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let width = rest.chars().take_while(|c| *c == mark).count();
    let info = rest[width..].trim();
    (width >= 3 && !(mark == '`' && info.contains('`'))).then_some((mark, width, info.is_empty()))
}

/// Level and title of a heading (CommonMark, "ATX headings").
pub(crate) fn heading(line: &str) -> Option<(usize, &str)> {
    let rest = line.trim_start_matches(' ');
    let level = rest.chars().take_while(|c| *c == '#').count();
    let title = &rest[level..];
    let fits = (1..=6).contains(&level) && line.len() - rest.len() <= 3;
    (fits && (title.is_empty() || title.starts_with([' ', '\t'])))
        .then(|| (level, title.trim().trim_end_matches('#').trim()))
}

fn cut(text: &str) -> Vec<Section> {
    let mut all = vec![Section { key: None, heading: String::new(), body: String::new() }];
    for line in lines(text) {
        match heading(line.text).filter(|_| !line.in_fence) {
            Some((level, title)) => all.push(Section {
                key: Some((level, title.to_lowercase())),
                heading: line.whole.to_owned(),
                body: String::new(),
            }),
            None => {
                if let Some(last) = all.last_mut() {
                    last.body.push_str(line.whole);
                }
            }
        }
    }
    all
}

/// `later` laid over `base`. The title of the whole (a first heading of level 1) is the later one's; sections of one level
/// and title are one; others follow in their order.
pub(crate) fn lay_over(base: &str, later: &str, strategy: Strategy, join_lists: bool) -> String {
    if base.trim().is_empty() {
        return later.to_owned();
    }
    let (mut all, own) = (cut(base), cut(later));
    let has_title = |sections: &[Section]| {
        sections.get(1).is_some_and(|s| s.key.as_ref().is_some_and(|(level, _)| *level == 1))
            && sections[0].body.trim().is_empty()
    };
    let titles = has_title(&all) && has_title(&own);
    for (at, section) in own.into_iter().enumerate() {
        if at == 0 && section.body.trim().is_empty() {
            continue;
        }
        let found = match at {
            0 => Some(0),
            1 if titles => Some(1),
            _ => all.iter().position(|other| other.key == section.key),
        };
        let Some(found) = found else {
            end_line(&mut all, true);
            all.push(section);
            continue;
        };
        let is_last = found + 1 == all.len();
        let old = &mut all[found];
        let is_title = at == 1 && titles;
        if is_title {
            old.heading.clone_from(&section.heading);
            old.key.clone_from(&section.key);
        }
        let body = match strategy {
            Strategy::Merge if join_lists && is_list(&old.body) && is_list(&section.body) => {
                joined(&old.body, &section.body)
            }
            Strategy::Merge if at == 0 => format!("{}\n\n{}", old.body.trim_end(), section.body.trim_start()),
            Strategy::Merge if section.body.trim().is_empty() => continue,
            _ => section.body,
        };
        old.body = if body.ends_with('\n') || is_last { body } else { format!("{body}\n\n") };
    }
    all.iter().flat_map(|section| [section.heading.as_str(), section.body.as_str()]).collect()
}

/// What is there so far ends with its line, and with an empty one where `apart`.
fn end_line(all: &mut [Section], apart: bool) {
    if let Some(last) = all.last_mut() {
        let end = if last.body.is_empty() { &mut last.heading } else { &mut last.body };
        if !end.ends_with('\n') {
            end.push('\n');
        }
        if apart && !end.ends_with("\n\n") {
            end.push('\n');
        }
    }
}

/// Whether there are items of a list in it and nothing else.
fn is_list(body: &str) -> bool {
    let mut items = false;
    for line in body.lines().filter(|line| !line.trim().is_empty()) {
        let continues = line.starts_with([' ', '\t']) && items;
        if !is_item(line) && !continues {
            return false;
        }
        items = true;
    }
    items
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with("- ")
        || line.starts_with("* ")
        || line.starts_with("+ ")
        || (number.len() < line.len() && (number.starts_with(". ") || number.starts_with(") ")))
}

/// Both lists; an item that stands in both is there once.
fn joined(base: &str, later: &str) -> String {
    let mut all = base.trim_end().to_owned();
    let items = |text: &str| {
        let mut items: Vec<String> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match items.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => {
                    last.push('\n');
                    last.push_str(line);
                }
                _ => items.push(line.to_owned()),
            }
        }
        items
    };
    let known = items(base);
    for item in items(later).into_iter().filter(|item| !known.contains(item)) {
        all.push('\n');
        all.push_str(&item);
    }
    let trailing = &later[later.trim_end().len()..];
    all + if trailing.is_empty() { "\n" } else { trailing }
}

#[cfg(test)]
mod tests {
    use super::{cut, lay_over};
    use crate::bases::Strategy;

    const BASE: &str =
        "# Base\n\nAbout base.\n\n## Instructions\n- Base instruction 1\n- Base instruction 2\n\n## Style\nPlain.\n";
    const LATER: &str = "# Main\n\n## Instructions\n- Main instruction\n- Base instruction 1\n\n## More\nText\n";

    #[test]
    fn cfg_3_lists_are_joined_and_sections_replaced() {
        assert_eq!(
            lay_over(BASE, LATER, Strategy::Merge, true),
            "# Main\n\nAbout base.\n\n## Instructions\n- Base instruction 1\n- Base instruction 2\n- Main instruction\n\n## Style\nPlain.\n\n## More\nText\n"
        );
        assert_eq!(
            lay_over(BASE, LATER, Strategy::Replace, true),
            "# Main\n\n## Instructions\n- Main instruction\n- Base instruction 1\n\n## Style\nPlain.\n\n## More\nText\n"
        );
        assert_eq!(
            lay_over(BASE, LATER, Strategy::Merge, false),
            "# Main\n\nAbout base.\n\n## Instructions\n- Main instruction\n- Base instruction 1\n\n## Style\nPlain.\n\n## More\nText\n"
        );
    }

    #[test]
    fn cfg_3_texts_without_headings_follow_one_another() {
        assert_eq!(lay_over("a\n", "b\n", Strategy::Merge, true), "a\n\nb\n");
        assert_eq!(lay_over("a\n", "b\n", Strategy::Replace, true), "b\n");
        assert_eq!(lay_over("", "b", Strategy::Merge, true), "b");
    }

    #[test]
    fn cfg_3_a_heading_in_code_is_none() {
        let text = "```sh\n# comment\n```\n## Real\n~~~\n```\n# no\n~~~\n# yes\n";
        let titles: Vec<_> = cut(text).into_iter().filter_map(|s| s.key).collect();
        assert_eq!(titles, [(2, "real".to_owned()), (1, "yes".to_owned())]);
    }

    proptest::proptest! {
        #[test]
        fn cfg_3_what_is_cut_joins_to_the_byte(text in "([#`~ a-c\r\n:-]|## )*") {
            let joined: String = cut(&text).iter().flat_map(|s| [s.heading.as_str(), s.body.as_str()]).collect();
            proptest::prop_assert_eq!(joined, text);
        }
    }
}
