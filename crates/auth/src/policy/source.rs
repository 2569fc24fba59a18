//! `.cedar` files: read, named and checked against the schema, every complaint with file, line and a caret.

use std::collections::HashSet;
use std::str::FromStr;

use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};
use miette::Diagnostic;

use crate::policy::fault::{PolicyFault, Spot};
use crate::policy::settings::PolicySource;
use crate::policy::words::SCHEMA;

/// Policies of one file.
const POLICIES_MAX: usize = 20_000;
/// Annotations that mean something. Another one is a misspelling, and one of these may be what was meant.
const ANNOTATIONS: [&str; 4] = ["id", "approval", "approver", "description"];

/// The policies of `source`.
pub(super) fn parse(source: &PolicySource, faults: &mut Vec<PolicyFault>) -> Vec<Policy> {
    let before = faults.len();
    let set = match PolicySet::from_str(&source.text) {
        Ok(set) => set,
        Err(errors) => {
            faults.extend(errors.iter().map(|error| fault(source, error)));
            return Vec::new();
        }
    };
    let whole = |message: String| PolicyFault::file(&source.path, None, message);
    if set.num_of_templates() > 0 {
        faults.push(whole("holds a template (`?principal`, `?resource`): write whole policies".to_owned()));
    }
    if set.num_of_policies() > POLICIES_MAX {
        faults.push(whole(format!("holds more than {POLICIES_MAX} policies")));
        return Vec::new();
    }
    let checked = Validator::new(SCHEMA.clone()).validate(&set, ValidationMode::Strict);
    faults.extend(checked.validation_errors().map(|error| fault(source, error)));
    let mut policies = Vec::new();
    let mut names = HashSet::new();
    let mut numbered: Vec<_> = set.policies().map(|policy| (number(policy.id()), policy)).collect();
    numbered.sort_by_key(|(number, _)| *number);
    let stem = source.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    for (number, policy) in numbered {
        let id = policy.annotation("id").map_or_else(|| format!("{stem}#{}", number + 1), str::to_owned);
        faults.extend(annotation_fault(policy).map(|why| whole(format!("policy {id}: {why}"))));
        if !names.insert(id.clone()) {
            faults.push(whole(format!("two policies have `@id(\"{id}\")`")));
        }
        policies.push(policy.new_id(PolicyId::new(id)));
    }
    if faults.len() > before { Vec::new() } else { policies }
}

/// Cedar numbers the policies of a text in their order: `policy0`, `policy1`.
fn number(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.strip_prefix("policy").and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}

fn annotation_fault(policy: &Policy) -> Option<String> {
    if let Some((name, _)) = policy.annotations().find(|(name, _)| !ANNOTATIONS.contains(name)) {
        return Some(format!(
            "`@{name}` means nothing here; there are {}",
            ANNOTATIONS.map(|a| format!("`@{a}`")).join(", ")
        ));
    }
    match policy.annotation("approver") {
        Some("caller" | "admin") if policy.annotation("approval").is_some() => None,
        Some("caller" | "admin") => Some("`@approver` goes with `@approval(\"…\")`".to_owned()),
        Some(other) => Some(format!("`@approver(\"{other}\")`: it is `caller` or `admin`")),
        None => None,
    }
}

fn fault(source: &PolicySource, error: &dyn Diagnostic) -> PolicyFault {
    let label = error.labels().and_then(|mut labels| labels.next());
    let at = label.as_ref().map(|label| Spot::of(&source.text, label.offset(), label.len()));
    let mut message = error.to_string();
    if let Some(label) = label.as_ref().and_then(|label| label.label()).filter(|label| !message.contains(*label)) {
        message = format!("{message}: {label}");
    }
    if let Some(help) = error.help() {
        message = format!("{message} ({help})");
    }
    PolicyFault::file(&source.path, at, message)
}
