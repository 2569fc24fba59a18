//! What a glance at a message tells later readers of it, so that they need not look at all of it again.

/// Members of results that somebody asks for.
const NAMES: [&str; 5] = ["structuredContent", "taskId", "task", "_meta", "resultType"];
/// The member by which a tool's result says that it is an error.
const IS_ERROR: &[u8] = b"isError";

/// How the strings of a JSON text are spelled: `false` is sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    /// Some hold escapes.
    pub escapes: bool,
    /// Some hold bytes other than those of printable ASCII.
    pub odd_bytes: bool,
}

impl Spelling {
    /// Of a text that nobody looked at.
    pub const UNKNOWN: Self = Self { escapes: true, odd_bytes: true };
}

impl Default for Spelling {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// Which members a result has, of those that somebody asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outline {
    /// Whether anything is known at all: it is an object, and its names are plain.
    known: bool,
    names: u8,
    /// Whether it says that it is an error, where it says something.
    is_error: Option<bool>,
}

impl Outline {
    /// Of an object without members.
    pub(crate) const BARE: Self = Self { known: true, names: 0, is_error: None };

    /// There is a member of this name, `None` for one with escapes, with this value.
    pub(crate) fn note(&mut self, name: Option<&[u8]>, value: &[u8]) {
        let Some(name) = name else {
            self.known = false;
            return;
        };
        if name == IS_ERROR {
            // Of two of one name the first counts, as everywhere.
            self.is_error.get_or_insert(value == b"true");
        } else if let Some(at) = NAMES.iter().position(|known| known.as_bytes() == name) {
            self.names |= 1 << at;
        }
    }

    /// Whether there is a member `name`; `None` where that is not known.
    pub(crate) fn has(self, name: &str) -> Option<bool> {
        let at = NAMES.iter().position(|known| *known == name)?;
        self.known.then_some(self.names & (1 << at) != 0)
    }

    /// Whether it says that it is an error; `None` where that is not known.
    pub(crate) fn is_error(self) -> Option<bool> {
        self.known.then_some(self.is_error == Some(true))
    }
}
