//! A Markdown text as its sections: cut at headings, joined again to the byte, and laid over another's.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use crate::bases::Strategy;

/// Headings of a text that builds on others, or is built on.
pub(crate) const SECTIONS_MAX: usize = 20_000;

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

/// What sections and items are told apart by. In tests comparisons are counted: there must not be more of them than lines.
#[derive(Clone, Debug, Eq)]
struct Key<T>(T);

/// An item of a list.
type Item = Key<String>;

impl<T: PartialEq> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        #[cfg(test)]
        tests::COMPARED.with(|compared| compared.set(compared.get() + 1));
        self.0 == other.0
    }
}

impl<T: Hash> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// A text that others are laid over.
struct Laid {
    sections: Vec<Below>,
    /// The first section of each level and title.
    places: HashMap<Key<Option<(usize, String)>>, usize>,
}

/// A section that others are laid over, with what is known of its body.
struct Below {
    section: Section,
    is_list: Option<bool>,
    items: Option<HashSet<Item>>,
}

impl Laid {
    fn new(sections: Vec<Section>) -> Self {
        let mut all = Self { sections: Vec::new(), places: HashMap::new() };
        sections.into_iter().for_each(|section| all.push(section));
        all
    }

    fn push(&mut self, section: Section) {
        self.places.entry(Key(section.key.clone())).or_insert(self.sections.len());
        self.sections.push(Below { section, is_list: None, items: None });
    }

    /// The section at `at` is called as `like` is.
    fn rename(&mut self, at: usize, like: &Section) {
        let section = &mut self.sections[at].section;
        let old = Key(std::mem::replace(&mut section.key, like.key.clone()));
        section.heading.clone_from(&like.heading);
        if self.places.get(&old) == Some(&at) {
            self.places.remove(&old);
            if let Some(next) = self.sections.iter().position(|one| one.section.key == old.0) {
                self.places.insert(old, next);
            }
        }
        let first = self.places.entry(Key(like.key.clone())).or_insert(at);
        *first = at.min(*first);
    }

    /// What is there so far ends with its line, and with an empty one.
    fn end_line(&mut self) {
        if let Some(Below { section, .. }) = self.sections.last_mut() {
            let end = if section.body.is_empty() { &mut section.heading } else { &mut section.body };
            if !end.ends_with('\n') {
                end.push('\n');
            }
            if !end.ends_with("\n\n") {
                end.push('\n');
            }
        }
    }

    /// The section at `at` ends apart from what follows it.
    fn part(&mut self, at: usize) {
        let is_last = at + 1 == self.sections.len();
        let body = &mut self.sections[at].section.body;
        if !is_last && !body.ends_with('\n') {
            body.push_str("\n\n");
        }
    }
}

impl Below {
    fn is_list(&mut self) -> bool {
        *self.is_list.get_or_insert_with(|| is_list(&self.section.body))
    }

    fn replace(&mut self, body: String) {
        self.section.body = body;
        (self.is_list, self.items) = (None, None);
    }

    /// Adds the items of `later`, another list, that are not there yet.
    fn join(&mut self, later: &str) {
        let body = &mut self.section.body;
        let known = self.items.get_or_insert_with(|| items(body).collect());
        body.truncate(body.trim_end().len());
        for item in items(later) {
            if !known.contains(&item) {
                body.push('\n');
                body.push_str(&item.0);
                known.insert(item);
            }
        }
        let trailing = &later[later.trim_end().len()..];
        body.push_str(if trailing.is_empty() { "\n" } else { trailing });
    }
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
///
/// Each line is looked at a few times, however many sections and items there are: texts are strangers'.
///
/// # Errors
/// When one of them has more than [`SECTIONS_MAX`] headings.
pub(crate) fn lay_over(base: &str, later: &str, strategy: Strategy, join_lists: bool) -> Result<String, String> {
    if base.trim().is_empty() {
        return Ok(later.to_owned());
    }
    let (all, own) = (cut(base), cut(later));
    if all.len().max(own.len()) > SECTIONS_MAX {
        return Err(format!("has more than {SECTIONS_MAX} headings, and builds on others or is built on"));
    }
    let has_title = |sections: &[Section]| {
        sections.get(1).is_some_and(|s| s.key.as_ref().is_some_and(|(level, _)| *level == 1))
            && sections[0].body.trim().is_empty()
    };
    let titles = has_title(&all) && has_title(&own);
    let mut all = Laid::new(all);
    for (at, section) in own.into_iter().enumerate() {
        if at == 0 && section.body.trim().is_empty() {
            continue;
        }
        let found = match at {
            0 => Some(0),
            1 if titles => Some(1),
            _ => all.places.get(&Key(section.key.clone())).copied(),
        };
        let Some(found) = found else {
            all.end_line();
            all.push(section);
            continue;
        };
        if at == 1 && titles {
            all.rename(found, &section);
        }
        let old = &mut all.sections[found];
        match strategy {
            Strategy::Merge if join_lists && old.is_list() && is_list(&section.body) => old.join(&section.body),
            Strategy::Merge if at == 0 => {
                old.replace(format!("{}\n\n{}", old.section.body.trim_end(), section.body.trim_start()));
            }
            Strategy::Merge if section.body.trim().is_empty() => continue,
            _ => old.replace(section.body),
        }
        all.part(found);
    }
    Ok(all.sections.iter().flat_map(|one| [one.section.heading.as_str(), one.section.body.as_str()]).collect())
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

/// The items of a list, each with the lines that continue it.
fn items(text: &str) -> impl Iterator<Item = Item> {
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
    items.into_iter().map(Key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::Cell;

    use super::{SECTIONS_MAX, cut};
    use crate::bases::Strategy;

    thread_local! {
        pub(super) static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    fn lay_over(base: &str, later: &str, strategy: Strategy, join_lists: bool) -> String {
        super::lay_over(base, later, strategy, join_lists).unwrap()
    }

    /// CFG-3: a text that a stranger wrote costs as many comparisons as it has lines, not as many as pairs of them.
    #[test]
    fn cfg_3_what_is_laid_over_is_compared_a_few_times() {
        let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
        let count = 10_000;
        let list = |from: usize| format!("## L\n{}", lines(count, &|at| format!("- item {}\n", from + at)));
        let sections = |from: usize| lines(count, &|at| format!("## S{}\nText {at}\n", from + at));
        let same = lines(count, &|at| format!("## Same\n- item {at}\n"));
        for (base, later) in [
            (list(0), list(count)),
            (list(0), list(0)),
            (sections(0), sections(count)),
            (sections(0), sections(0)),
            (same.clone(), same),
        ] {
            for strategy in [Strategy::Merge, Strategy::Replace] {
                let before = COMPARED.with(Cell::get);
                let laid = lay_over(&base, &later, strategy, true);
                let compared = COMPARED.with(Cell::get) - before;
                assert!(!laid.is_empty() && compared <= 6 * count, "{strategy:?}: {compared} comparisons");
            }
        }
        let many = lines(SECTIONS_MAX + 1, &|_| "#\n".to_owned());
        for (base, later) in [("# A\n", many.as_str()), (many.as_str(), "# A\n")] {
            assert!(super::lay_over(base, later, Strategy::Merge, true).unwrap_err().contains("headings"));
        }
    }

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
