//! Bytes of chance taken apart: a byte to choose by, a piece for this, the rest for that.

/// What is left of the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte; 0 where nothing is left.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Everything up to the next NUL, and past it.
    pub(crate) fn until_nul(&mut self) -> &'a [u8] {
        let (piece, rest) = match self.0.iter().position(|b| *b == 0) {
            Some(at) => (&self.0[..at], &self.0[at + 1..]),
            None => (self.0, &[][..]),
        };
        self.0 = rest;
        piece
    }

    /// The same as text, as far as it is UTF-8.
    pub(crate) fn text(&mut self) -> &'a str {
        valid(self.until_nul())
    }

    /// All that is left.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// All that is left as text, as far as it is UTF-8.
    pub(crate) fn rest_text(self) -> &'a str {
        valid(self.0)
    }
}

fn valid(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

/// `bytes` cut at places that `cuts` chooses: each of its bytes is the length of a chunk, over and over.
pub(crate) fn chunks<'a>(cuts: &[u8], bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let (mut out, mut rest, mut at) = (Vec::new(), bytes, 0);
    while !rest.is_empty() {
        let wanted = cuts.get(at % cuts.len().max(1)).map_or(1, |cut| usize::from(*cut % 17) + 1);
        let (chunk, behind) = rest.split_at(wanted.min(rest.len()));
        out.push(chunk);
        rest = behind;
        at += 1;
    }
    out
}
