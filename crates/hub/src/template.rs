//! Whether a URI can have been made from a URI template (RFC 6570), as far as routing has to know.

/// A template as its literal pieces; any text may stand between two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<String>,
    ends_open: bool,
}

impl Template {
    pub(crate) fn parse(template: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some((literal, behind)) = rest.split_once('{') {
            pieces.push(literal.to_owned());
            match behind.split_once('}') {
                Some((_, behind)) => rest = behind,
                None => {
                    rest = "";
                    break;
                }
            }
        }
        let ends_open = rest.is_empty() && !pieces.is_empty();
        if !ends_open {
            pieces.push(rest.to_owned());
        }
        Self { pieces, ends_open }
    }

    /// Bytes of literal text: of two templates that match, the one with more says more.
    pub(crate) fn weight(&self) -> usize {
        self.pieces.iter().map(String::len).sum()
    }

    pub(crate) fn matches(&self, uri: &str) -> bool {
        let Some((first, others)) = self.pieces.split_first() else { return false };
        let Some(mut rest) = uri.strip_prefix(first.as_str()) else { return false };
        if others.is_empty() {
            return rest.is_empty() || self.ends_open;
        }
        let (middle, last) = if self.ends_open { (others, None) } else { (&others[..others.len() - 1], others.last()) };
        for piece in middle {
            let Some(at) = rest.find(piece.as_str()) else { return false };
            rest = &rest[at + piece.len()..];
        }
        last.is_none_or(|last| rest.ends_with(last.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn matching() {
        let matches = |template: &str, uri: &str| Template::parse(template).matches(uri);
        assert!(matches("test://t/{id}/data", "test://t/42/data"));
        assert!(!matches("test://t/{id}/data", "test://t/42/other"));
        assert!(matches("file:///{+path}", "file:///a/b/c"));
        assert!(matches("a://{x}/{y}", "a://1/2") && !matches("a://{x}/{y}", "b://1/2"));
        assert!(matches("a://fixed", "a://fixed") && !matches("a://fixed", "a://fixed2"));
        assert!(!matches("a://{x}/z{y}q", "a://1/z"));
    }
}
