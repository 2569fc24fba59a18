//! A server's entry written as YAML, quoted wherever a reader could take it for something else.

use std::fmt::Write;

use serde_json::Value;

/// How the lines around the new ones are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Spaces before the entry's name.
    pub(crate) indent: usize,
    /// Further spaces for each level below.
    pub(crate) step: usize,
    /// The line end.
    pub(crate) eol: &'static str,
}

/// `name:` and what is below it, ending in a line end.
pub(crate) fn entry(name: &str, value: &Value, manner: Manner) -> String {
    let mut text = String::new();
    pair(&mut text, name, value, manner.indent, manner);
    text
}

fn pair(text: &mut String, key: &str, value: &Value, indent: usize, manner: Manner) {
    let _ = write!(text, "{}{}:", " ".repeat(indent), scalar(key));
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push_str(manner.eol);
            for (key, value) in map {
                pair(text, key, value, indent + manner.step, manner);
            }
        }
        other => {
            let _ = write!(text, " {}{}", inline(other), manner.eol);
        }
    }
}

/// A value on one line; inside brackets every text is quoted.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| item.as_str().map_or_else(|| inline(item), quoted)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", quoted(key), inline(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text as it is where that is safe, else in double quotes.
fn scalar(text: &str) -> String {
    const RESERVED: [&str; 12] =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan", "infinity"];
    let start = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let safe = |c: char| c.is_ascii_alphanumeric() || "_./@:=+-".contains(c);
    let word = text.to_ascii_lowercase();
    if start && text.chars().all(safe) && !text.ends_with(':') && !RESERVED.contains(&word.as_str()) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// In double quotes; JSON's escapes are YAML's too, and what JSON leaves raw but YAML may not hold is escaped as well.
fn quoted(text: &str) -> String {
    let json = Value::String(text.to_owned()).to_string();
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::config::node;

    const MANNER: Manner = Manner { indent: 2, step: 2, eol: "\n" };

    #[test]
    fn plain_where_safe_and_quoted_where_not() {
        let value = serde_json::json!({"command": "npx", "args": ["-y", "a b"], "env": {"PORT": "8080", "ANSWER": "yes"}, "on": 3});
        assert_eq!(
            entry("files", &value, MANNER),
            "  files:\n    command: npx\n    args: [\"-y\", \"a b\"]\n    env:\n      PORT: \"8080\"\n      ANSWER: \"yes\"\n    \"on\": 3\n"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(key in "\\PC{1,12}", texts in proptest::collection::vec(any::<String>(), 0..4), one in any::<String>()) {
            let value = serde_json::json!({"list": texts, "map": {key: one}, "flag": true, "none": {}});
            let text = entry("name", &value, MANNER);
            let read = node::read(&text).unwrap().plain();
            prop_assert_eq!(read, serde_json::json!({"name": value}));
        }
    }
}
