//! `${ENV:NAME}` and `${ENV:NAME:-default}` in text values.

use crate::config::error::{Place, Problem};
use crate::config::node::{Node, Value};
use crate::config::surroundings::Surroundings;

/// Longest text after variables were put in.
const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// Why a reference could not be replaced.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// The variable is not set; forgiven where the server is disabled.
    Missing(String),
    /// The text itself is wrong.
    Wrong(String),
}

/// Replaces the references in every text below `root`; what cannot be replaced stays as it is and is reported.
pub(crate) fn expand(root: &mut Node, around: &Surroundings, problems: &mut Vec<Problem>) {
    let Value::Map(sections) = &mut root.value else { return };
    for (section, node) in sections {
        match &mut node.value {
            Value::Map(servers) if section.name == "servers" => {
                for (_, server) in servers {
                    let disabled = matches!(server.entry("disabled"), Some((_, Node { value: Value::Bool(true), .. })));
                    walk(server, around, disabled, problems);
                }
            }
            _ => walk(node, around, false, problems),
        }
    }
}

fn walk(node: &mut Node, around: &Surroundings, forgiving: bool, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Text(text) if text.text.contains("${") => match replace(&text.text, around) {
            Ok(replaced) => {
                text.text = replaced;
                text.expanded = true;
            }
            Err(Fault::Missing(_)) if forgiving => {}
            Err(Fault::Missing(message) | Fault::Wrong(message)) => problems.push(problem(node.place, message)),
        },
        Value::List(items) => items.iter_mut().for_each(|item| walk(item, around, forgiving, problems)),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, entry)| walk(entry, around, forgiving, problems)),
        _ => {}
    }
}

fn problem(place: Place, message: String) -> Problem {
    Problem::at(place, message)
}

fn replace(text: &str, around: &Surroundings) -> Result<String, Fault> {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        replaced.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        if let Some(after) = rest.strip_prefix("$${") {
            replaced.push_str("${");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let end = after.find('}').ok_or_else(|| {
                Fault::Wrong("`${` is not closed by `}`; write `$${` for the characters themselves".to_owned())
            })?;
            replaced.push_str(&value(&after[..end], around)?);
            rest = &after[end + 1..];
        } else {
            replaced.push('$');
            rest = &rest[1..];
        }
        if replaced.len() > EXPANDED_BYTES_MAX {
            return Err(Fault::Wrong(format!("longer than {EXPANDED_BYTES_MAX} bytes with its variables put in")));
        }
    }
    replaced.push_str(rest);
    Ok(replaced)
}

/// A text from a command line: our own references are meant, every other `${` is the characters themselves.
pub(crate) fn escape_others(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        escaped.push_str(&rest[..start]);
        let ours = rest[start..].starts_with("${ENV:") || escaped.ends_with('$');
        escaped.push_str(if ours { "${" } else { "$${" });
        rest = &rest[start + 2..];
    }
    escaped + rest
}

/// The value of what stands between the braces.
fn value(reference: &str, around: &Surroundings) -> Result<String, Fault> {
    let Some(rest) = reference.strip_prefix("ENV:") else {
        return Err(Fault::Wrong(match reference.split_once(':') {
            Some((source, _)) if !source.is_empty() && is_name(source) => format!(
                "`${{{source}:…}}` names a source of values that is not there; only `${{ENV:NAME}}` is \
                 (write `$${{` for the characters themselves)"
            ),
            _ if is_name(reference) => format!(
                "`${{{reference}}}` means nothing here: write `${{ENV:{reference}}}` for the variable, \
                 or `$${{{reference}}}` for the characters themselves"
            ),
            _ => "after `${` comes `ENV:NAME}`; write `$${` for the characters themselves".to_owned(),
        }));
    };
    let (name, default) = match rest.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (rest, None),
    };
    if !is_name(name) {
        return Err(Fault::Wrong(format!("`{name}` is not the name of a variable: letters, digits and `_`")));
    }
    match (around.variable(name), default) {
        (Some(value), _) => Ok(value.to_owned()),
        (None, Some(default)) => Ok(default.to_owned()),
        // Set but empty is a value too, where no default is given.
        (None, None) => around.variables.get(name).cloned().ok_or_else(|| {
            Fault::Missing(format!("the variable {name} is not set: set it, or write `${{ENV:{name}:-default}}`"))
        }),
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn references_are_replaced_once_and_escapes_kept() {
        let around = Surroundings::of_test(Path::new("/h"), Path::new("/w"))
            .with("A", "one")
            .with("NESTED", "${ENV:A}")
            .with("EMPTY", "");
        for (text, replaced) in [
            ("plain $5 $", "plain $5 $"),
            ("${ENV:A}", "one"),
            ("x${ENV:A}y${ENV:A}z", "xoneyonez"),
            ("${ENV:B:-two}", "two"),
            ("${ENV:B:-}", ""),
            ("${ENV:A:-two}", "one"),
            ("${ENV:EMPTY}", ""),
            ("${ENV:EMPTY:-full}", "full"),
            ("$${ENV:A}", "${ENV:A}"),
            ("$${A} ${ENV:A}", "${A} one"),
            ("${ENV:NESTED}", "${ENV:A}"),
            ("${ENV:B:-a:-b}", "a:-b"),
            ("ü${ENV:A}ü", "üoneü"),
        ] {
            assert_eq!(replace(text, &around), Ok(replaced.to_owned()), "{text}");
        }
    }

    #[test]
    fn only_our_references_are_left_on_a_command_line() {
        for (text, escaped) in [
            ("${ENV:A} ${HOME}", "${ENV:A} $${HOME}"),
            ("$${HOME}", "$${HOME}"),
            ("echo $HOME ${#x[@]}", "echo $HOME $${#x[@]}"),
        ] {
            assert_eq!(escape_others(text), escaped);
        }
    }

    #[test]
    fn what_cannot_be_replaced_says_why() {
        let around = Surroundings::of_test(Path::new("/h"), Path::new("/w"));
        for (text, part) in [
            ("${ENV:NONE}", "NONE is not set"),
            ("${HOME}", "write `${ENV:HOME}`"),
            ("${VAULT:db/password}", "`${VAULT:…}` names a source"),
            ("${ENV:A", "not closed"),
            ("${ENV:a b}", "not the name of a variable"),
            ("${}", "after `${` comes"),
        ] {
            let Err(Fault::Missing(message) | Fault::Wrong(message)) = replace(text, &around) else {
                panic!("{text} was replaced")
            };
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
