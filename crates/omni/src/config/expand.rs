//! `${ENV:NAME}` and `${ENV:NAME:-default}` in text values; references to secrets are kept apart, unresolved.

use omni_secrets::{Part, Reference, Source, Template};

use crate::config::error::{Place, Problem};
use crate::config::node::{Node, Value};
use crate::config::surroundings::Surroundings;

/// Longest text after variables were put in.
const EXPANDED_BYTES_MAX: usize = 1 << 20;
/// The parts of a server's entry in which secrets may stand: nobody but the server sees them.
const SECRET_PLACES: [&str; 2] = ["env", "headers"];

/// A text of a server's entry whose references are resolved when the server is started, never before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) server: String,
    /// `env` or `headers`.
    pub(crate) part: &'static str,
    pub(crate) key: String,
    pub(crate) text: String,
}

/// Why a reference could not be replaced.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// The variable is not set; forgiven where the server is disabled.
    Missing(String),
    /// The text itself is wrong.
    Wrong(String),
}

/// Replaces the references to variables in every text below `root`; what cannot be replaced stays as it is and is reported.
/// Texts with references to secrets are taken out of the tree where they may stand: their values never become part of it.
pub(crate) fn expand(root: &mut Node, around: &Surroundings, problems: &mut Vec<Problem>) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    let Value::Map(sections) = &mut root.value else { return deliveries };
    for (section, node) in sections {
        match &mut node.value {
            Value::Map(servers) if section.name == "servers" => {
                for (name, server) in servers {
                    let disabled = matches!(server.entry("disabled"), Some((_, Node { value: Value::Bool(true), .. })));
                    take_out(&name.name, server, &mut deliveries);
                    walk(server, around, disabled, problems);
                }
            }
            Value::Map(entries) if section.name == "profiles" => {
                for (key, node) in entries {
                    match &mut node.value {
                        Value::Map(sources) if key.name == "remote" => {
                            for (_, source) in sources {
                                walk_but_token(source, around, problems);
                            }
                        }
                        _ => walk(node, around, false, problems),
                    }
                }
            }
            // Its keys are asked for when the log is opened, and never stand in the tree.
            Value::Map(parts) if section.name == "audit" => {
                for (_, node) in parts.iter_mut().filter(|(part, _)| part.name != "keys") {
                    walk(node, around, false, problems);
                }
            }
            _ => walk(node, around, false, problems),
        }
    }
    deliveries
}

/// The token of a source of profiles stays the reference that it is: its value is asked for when the source is.
fn walk_but_token(source: &mut Node, around: &Surroundings, problems: &mut Vec<Problem>) {
    let Value::Map(parts) = &mut source.value else { return walk(source, around, false, problems) };
    for (part, node) in parts.iter_mut().filter(|(part, _)| part.name != "token") {
        let _its_name = part;
        walk(node, around, false, problems);
    }
}

fn take_out(server: &str, node: &mut Node, deliveries: &mut Vec<Delivery>) {
    let Value::Map(parts) = &mut node.value else { return };
    for (part, node) in parts {
        let Some(part) = SECRET_PLACES.into_iter().find(|place| *place == part.name) else { continue };
        let Value::Map(entries) = &mut node.value else { continue };
        entries.retain(|(key, entry)| {
            let Value::Text(text) = &entry.value else { return true };
            let secret = Template::parse(&text.text).is_ok_and(|read| read.references().any(is_secret));
            if secret {
                let (server, key, text) = (server.to_owned(), key.name.clone(), text.text.clone());
                deliveries.push(Delivery { server, part, key, text });
            }
            !secret
        });
    }
}

fn is_secret(reference: &Reference) -> bool {
    reference.source != Source::Env
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
    let template = Template::parse(text).map_err(|error| Fault::Wrong(error.why))?;
    let mut replaced = String::with_capacity(text.len());
    for part in template.parts() {
        match part {
            Part::Text(plain) => replaced.push_str(plain),
            Part::Value { reference, .. } if is_secret(reference) => {
                return Err(Fault::Wrong(format!(
                    "{reference} cannot stand here: secrets go into `env` and `headers` of a server, which no other \
                     program can read"
                )));
            }
            Part::Value { reference, default, .. } => {
                replaced.push_str(&value(&reference.path, default.as_deref(), around)?);
            }
        }
        if replaced.len() > EXPANDED_BYTES_MAX {
            return Err(Fault::Wrong(format!("longer than {EXPANDED_BYTES_MAX} bytes with its variables put in")));
        }
    }
    Ok(replaced)
}

/// A text from a command line: our own references are meant, every other `${` is the characters themselves.
pub(crate) fn escape_others(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        escaped.push_str(&rest[..start]);
        let word = rest[start + 2..].split(':').next().unwrap_or_default();
        let ours = Source::of_name(word).is_some() || escaped.ends_with('$');
        escaped.push_str(if ours { "${" } else { "$${" });
        rest = &rest[start + 2..];
    }
    escaped + rest
}

/// The value of a variable.
fn value(name: &str, default: Option<&str>, around: &Surroundings) -> Result<String, Fault> {
    match (around.variable(name), default) {
        (Some(value), _) => Ok(value.to_owned()),
        (None, Some(default)) => Ok(default.to_owned()),
        // Set but empty is a value too, where no default is given.
        (None, None) => around.variables.get(name).cloned().ok_or_else(|| {
            Fault::Missing(format!("the variable {name} is not set: set it, or write `${{ENV:{name}:-default}}`"))
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
            ("Bearer ${STORE:a}", "Bearer ${STORE:a}"),
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
            ("${VAULT:db/password}", "cannot stand here"),
            ("${AWS:x}", "`${AWS:…}` names a source"),
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

    #[test]
    fn sec_3_secrets_stand_in_env_and_headers_and_never_become_part_of_the_tree() {
        let text = "servers:\n  a: {command: x, env: {K: 'x ${STORE:k}', P: '${ENV:A}', E: '$${STORE:k}'}}\n  \
                    b: {url: 'http://h', headers: {Authorization: 'Bearer ${VAULT:a:b}'}}\n  \
                    c: {command: x, args: ['${STORE:k}']}\nlog: {level: '${FILE:x}'}";
        let mut root = crate::config::node::read(text).unwrap();
        let mut problems = Vec::new();
        let around = Surroundings::of_test(Path::new("/h"), Path::new("/w")).with("A", "${STORE:k}");
        let taken = expand(&mut root, &around, &mut problems);
        let taken: Vec<_> =
            taken.iter().map(|d| (d.server.as_str(), d.part, d.key.as_str(), d.text.as_str())).collect();
        assert_eq!(
            taken,
            [("a", "env", "K", "x ${STORE:k}"), ("b", "headers", "Authorization", "Bearer ${VAULT:a:b}")]
        );
        let plain = root.plain();
        // What a variable holds, and what is escaped, is text: it is never resolved.
        assert_eq!(plain["servers"]["a"]["env"], serde_json::json!({"P": "${STORE:k}", "E": "${STORE:k}"}));
        assert_eq!(problems.len(), 2, "arguments can be read by every user of the machine: {problems:?}");
    }
}
