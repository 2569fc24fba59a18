//! What strangers wrote, fit for a terminal.

/// What strangers wrote must not move the cursor of who reads it, nor hide itself.
pub(crate) fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().map(|c| if hidden(c) { format!("\\u{{{:x}}}", u32::from(c)) } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_callers_wrote_is_shown_as_it_is() {
        assert_eq!(printable("rm \u{1b}[2J\u{202e}x ä 漢"), "rm \\u{1b}[2J\\u{202e}x ä 漢");
    }
}
