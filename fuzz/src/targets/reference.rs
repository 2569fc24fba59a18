//! Texts with references to secrets: no text panics, what is read is bounded and written back the same, and an escaped text is itself.

use omni_secrets::{Part, REFERENCES_MAX, Template};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(escaped) = Template::parse(&Template::escape(text)) {
        let plain: String =
            escaped.parts().iter().map(|part| if let Part::Text(t) = part { t.as_str() } else { "" }).collect();
        assert_eq!(plain, text, "an escaped text is itself");
    }
    match Template::parse(text) {
        Ok(read) => {
            assert!(read.references().count() <= REFERENCES_MAX);
            let written = read.to_string();
            // What is written can be longer than what may be read: every `${` of a plain text is escaped.
            if let Ok(again) = Template::parse(&written) {
                assert_eq!(again.to_string(), written);
                assert!(again.references().eq(read.references()), "{text:?} and {written:?}");
            }
        }
        Err(error) => {
            assert!(text.is_char_boundary(error.at), "{error} at {}", error.at);
            let (line, column) = error.line_column(text);
            assert!(line >= 1 && column >= 1);
        }
    }
}
