//! From the claims of a token to the user context (row AUTH-5), by the operator's mapping.

use omni_types::{Identity, Principal, PrincipalKind};
use serde_json::{Map, Value};

use crate::auth_settings::ClaimSettings;
use crate::refusal::Refusal;

/// Entries of one list, and bytes of one. A token with more is refused: which of them to leave out might decide.
const ENTRIES_MAX: usize = 512;
const ENTRY_BYTES_MAX: usize = 512;

/// The principal that `claims`, which were verified, speak of.
///
/// # Errors
/// When they name nobody, or more than can be kept.
pub(crate) fn principal(
    mapping: &ClaimSettings,
    issuer: &str,
    claims: Map<String, Value>,
) -> Result<Principal, Refusal> {
    let text = |path: &str| look_up(&claims, path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = text(&mapping.id).map(str::to_owned);
    let id = id.ok_or_else(|| Refusal::invalid(format!("the token's claim `{}` names nobody", mapping.id)))?;
    if id.len() > ENTRY_BYTES_MAX {
        return Err(Refusal::invalid(format!("the token's claim `{}` is too long", mapping.id)));
    }
    Ok(Principal::build(Identity {
        issuer: Some(issuer.to_owned()),
        tenant: text(&mapping.tenant).map(str::to_owned),
        client: mapping.client.iter().find_map(|path| text(path)).map(str::to_owned),
        groups: list(&claims, &mapping.groups)?,
        roles: list(&claims, &mapping.roles)?,
        permissions: list(&claims, &mapping.permissions)?,
        claims,
        ..Identity::new(PrincipalKind::Token, id)
    }))
}

/// The claim of that name, or the one that a path with dots leads to.
fn look_up<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let mut steps = path.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

/// What stands at all of `paths`: lists of texts, and texts parted by spaces.
fn list(claims: &Map<String, Value>, paths: &[String]) -> Result<Vec<String>, Refusal> {
    let mut all: Vec<String> = Vec::new();
    for path in paths {
        let found: Vec<&str> = match look_up(claims, path) {
            Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for entry in found {
            if all.len() >= ENTRIES_MAX || entry.len() > ENTRY_BYTES_MAX {
                return Err(Refusal::invalid(format!("the token's claim `{path}` holds more than is looked at")));
            }
            if !all.iter().any(|one| one == entry) {
                all.push(entry.to_owned());
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::{ENTRIES_MAX, principal};
    use crate::auth_settings::ClaimSettings;

    fn claims(value: &Value) -> serde_json::Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn auth_5_claims_become_the_user_context_by_nested_paths_too() {
        let mapping = ClaimSettings {
            id: "preferred_username".to_owned(),
            tenant: "https://omni.example/tenant".to_owned(),
            roles: vec!["realm_access.roles".to_owned(), "resource_access.omni.roles".to_owned()],
            ..ClaimSettings::default()
        };
        let token = json!({
            "sub": "1", "preferred_username": "ann", "azp": "cli", "https://omni.example/tenant": "t1",
            "realm_access": {"roles": ["viewer", "admin"]}, "resource_access": {"omni": {"roles": ["admin", "dev"]}},
            "groups": "a b", "scope": "mcp:read mcp:write", "permissions": ["x"],
        });
        let ann = principal(&mapping, "https://idp", claims(&token)).unwrap();
        assert_eq!((ann.id(), ann.tenant(), ann.client()), ("ann", Some("t1"), Some("cli")));
        assert_eq!(ann.roles(), ["viewer", "admin", "dev"]);
        assert_eq!(
            (ann.groups(), ann.permissions()),
            (&["a", "b"].map(String::from)[..], &["mcp:read", "mcp:write", "x"].map(String::from)[..])
        );
        assert_eq!(ann.issuer(), Some("https://idp"));
    }

    #[test]
    fn auth_5_nobody_and_too_much_are_refused() {
        let mapping = ClaimSettings::default();
        for nobody in [json!({}), json!({"sub": ""}), json!({"sub": 1}), json!({"sub": ["ann"]})] {
            assert!(principal(&mapping, "i", claims(&nobody)).is_err(), "{nobody}");
        }
        let many: Vec<String> = (0..=ENTRIES_MAX).map(|number| number.to_string()).collect();
        assert!(principal(&mapping, "i", claims(&json!({"sub": "a", "groups": many}))).is_err());
    }
}
