//! Where dangerous characters stand. Clean text costs one look at its bytes.

use std::ops::Range;

use crate::characters::class::Class;
use crate::characters::{escapes, script};

/// Pieces that are looked at as a whole: all is well with a piece of printable ASCII without a backslash.
const PIECE: usize = 64;

/// Whether the JSON text could hold a dangerous character, raw or as an escape: `false` is sure.
#[must_use]
pub(crate) fn might_hold(json: &[u8]) -> bool {
    let mut at = 0;
    while at < json.len() {
        let left = &json[at..];
        let (odd, end) = match left.first_chunk() {
            Some(piece) => (is_odd(piece), at + PIECE),
            None => {
                let mut piece = [b' '; PIECE];
                piece[..left.len()].copy_from_slice(left);
                (is_odd(&piece), json.len())
            }
        };
        at = match odd {
            false => end,
            true => match behind(json, at, end) {
                Some(next) => next,
                None => return true,
            },
        };
    }
    false
}

/// Written without an early end and for a length that is known, so that the compiler looks at many bytes in one instruction.
fn is_odd(piece: &[u8; PIECE]) -> bool {
    piece.iter().fold(0, |odd, byte| odd | u8::from(*byte >= 0x7f) | u8::from(*byte == b'\\')) != 0
}

/// Where to go on when nothing from `at` to `end` begins what could be a dangerous character; escapes are not cut in two.
fn behind(json: &[u8], mut at: usize, end: usize) -> Option<usize> {
    while at < end {
        match json[at] {
            b'\\' => match json.get(at + 1) {
                Some(b'u' | b'b') | None => return None,
                Some(_) => at += 2,
            },
            // The first bytes of all the characters that `dangerous` knows.
            0x7f | 0xc2 | 0xe1 | 0xe2 | 0xe3 | 0xef | 0xf3 if begins_odd(&json[at..]) => return None,
            _ => at += 1,
        }
    }
    Some(at)
}

fn begins_odd(bytes: &[u8]) -> bool {
    match (bytes[0], bytes.get(1).copied().unwrap_or(0), bytes.get(2).copied().unwrap_or(0)) {
        (0x7f | 0xf3, ..) => true,
        (0xc2, second, _) => (0x80..=0x9f).contains(&second),
        (0xe1, 0x85 | 0xa0, _) => true,
        (0xe2, 0x80, third) => matches!(third, 0x8b..=0x8d | 0xaa..=0xae),
        (0xe2, 0x81, third) => third >= 0xa0,
        (0xe3, 0x85, third) => third == 0xa4,
        (0xef, 0xb8, third) => third <= 0x8f,
        (0xef, 0xbb, third) => third == 0xbf,
        (0xef, 0xbe, third) => third == 0xa0,
        (0xef, 0xbf, third) => matches!(third, 0xb9..=0xbb),
        _ => false,
    }
}

/// The dangerous characters of `text`, each or each run with its place and kind, in order.
#[must_use]
pub fn dangerous(text: &str) -> Vec<(Range<usize>, Class)> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte) || matches!(byte, b'\n' | b'\t' | b'\r' | 0x0c)) {
        return Vec::new();
    }
    let mut finder = Finder { text, found: Vec::new(), open: Vec::new(), before: None };
    finder.run();
    finder.found.sort_by_key(|(range, _)| range.start);
    finder.found
}

struct Finder<'a> {
    text: &'a str,
    found: Vec<(Range<usize>, Class)>,
    /// Embeddings and isolates that are open in this paragraph, and which close them.
    open: Vec<(usize, char)>,
    before: Option<char>,
}

impl Finder<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(c) = self.text[at..].chars().next() {
            let mut end = at + c.len_utf8();
            match c {
                '\0' => self.add(at..end, Class::Nul),
                '\n' | '\u{2029}' | '\u{85}' => self.paragraph(),
                '\t' | '\r' | '\u{c}' => {}
                '\u{1b}' | '\u{90}' | '\u{98}' | '\u{9b}' | '\u{9d}'..='\u{9f}' => {
                    end = at + escapes::length(&self.text[at..]).max(c.len_utf8());
                    self.add(at..end, Class::Control);
                }
                '\u{1}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => self.add(at..end, Class::Control),
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => self.direction(at, c),
                '\u{e0000}'..='\u{e007f}' => end = self.tags(at),
                _ if self.shows_nothing(c, end) => {
                    let hides = script::selector(c) || script::far_selector(c);
                    self.add(at..end, if hides { Class::Hidden } else { Class::ZeroWidth });
                }
                _ => {}
            }
            self.before = Some(c);
            at = end;
        }
        self.paragraph();
    }

    /// Adds what was found; what stands side by side is one.
    fn add(&mut self, range: Range<usize>, class: Class) {
        match self.found.last_mut() {
            Some((last, same)) if *same == class && last.end == range.start && class == Class::Hidden => {
                last.end = range.end;
            }
            _ => self.found.push((range, class)),
        }
    }

    /// What a paragraph opens, it closes: what stays open turns around what follows it.
    fn paragraph(&mut self) {
        for (at, c) in std::mem::take(&mut self.open) {
            self.found.push((at..at + c.len_utf8(), Class::Bidi));
        }
    }

    fn direction(&mut self, at: usize, c: char) {
        let range = at..at + c.len_utf8();
        match c {
            '\u{202d}' | '\u{202e}' => self.found.push((range, Class::Bidi)),
            '\u{202c}' | '\u{2069}' => {
                let isolate = c == '\u{2069}';
                let opener = |(_, open): &(usize, char)| ('\u{2066}'..='\u{2068}').contains(open) == isolate;
                match self.open.iter().rposition(opener) {
                    Some(own) => drop(self.open.remove(own)),
                    None => self.found.push((range, Class::Bidi)),
                }
            }
            _ => self.open.push((at, c)),
        }
    }

    /// Tag characters from `at` on, whole: those of a flag are a flag. Where they end.
    fn tags(&mut self, at: usize) -> usize {
        let is_tag = |c: &char| ('\u{e0000}'..='\u{e007f}').contains(c);
        let run: Vec<char> = self.text[at..].chars().take_while(is_tag).collect();
        let end = at + run.iter().map(|c| c.len_utf8()).sum::<usize>();
        // A black flag, the letters and digits of a region, the closing tag (Unicode emoji, "tag sequences").
        let region = run.len() >= 4
            && run.len() <= 8
            && run[..run.len() - 1].iter().all(|c| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}'))
            && run.last() == Some(&'\u{e007f}');
        if !(region && self.before == Some('\u{1f3f4}')) {
            self.add(at..end, Class::Hidden);
        }
        end
    }

    /// Whether `c`, which ends at `end`, shows nothing where nothing needs it.
    fn shows_nothing(&self, c: char, end: usize) -> bool {
        let before = |is: fn(char) -> bool| self.before.is_some_and(is);
        let next = |is: fn(char) -> bool| self.text[end..].chars().next().is_some_and(is);
        match c {
            '\u{200b}' => !(before(script::runs_on) || next(script::runs_on)),
            '\u{200c}' => !(before(script::joins) || next(script::joins)),
            '\u{200d}' => {
                let letters = before(script::joins) || next(script::joins);
                !(letters || (before(script::pictures) && next(script::pictures)))
            }
            '\u{feff}' => self.before.is_some(),
            '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' => true,
            '\u{180b}'..='\u{180f}' => !before(script::mongolian),
            '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => !(before(script::hangul) || next(script::hangul)),
            _ if script::selector(c) => {
                let bare = |c: char| c.is_whitespace() || c.is_ascii_alphabetic() || script::selector(c);
                self.before.is_none_or(|c| bare(c) || script::far_selector(c))
            }
            _ if script::far_selector(c) => !before(script::ideograph),
            _ => false,
        }
    }
}
