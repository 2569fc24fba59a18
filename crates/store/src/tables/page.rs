//! Pages of a list, oldest first: the next one begins after the last row seen, so that rows may come and go in between.

/// Rows of one page.
pub const PAGE_MAX: i64 = 1_000;

/// Which part of a list is wanted.
#[derive(Debug, Clone)]
pub struct Page {
    /// Time and id of the last row seen.
    pub after: Option<(i64, String)>,
    /// Rows at most.
    pub limit: i64,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: PAGE_MAX }
    }
}

impl Page {
    pub(crate) fn after(&self) -> (i64, &str) {
        self.after.as_ref().map_or((i64::MIN, ""), |(at, id)| (*at, id))
    }

    pub(crate) fn limit(&self) -> i64 {
        self.limit.clamp(1, PAGE_MAX)
    }
}
