//! How far somebody reaches whatever policy says: a key that was made for some servers is for no other (row AUTH-7).

use omni_types::{Principal, PrincipalKind};
use serde_json::Value;

use crate::methods::api_key::SERVERS_CLAIM;

/// Why `server` is out of reach of `principal`; `None` where it is not.
pub(crate) fn out_of_reach(principal: &Principal, server: &str) -> Option<String> {
    let servers = servers_of(principal)?;
    // Anything but a list with that name in it is no permission.
    let within = servers.as_array().is_some_and(|all| all.iter().any(|one| one == &Value::from(server)));
    (!within).then(|| format!("{principal} is for other servers than `{server}`"))
}

/// The servers that `principal` was made for, where it was made for some.
pub(crate) fn servers_of(principal: &Principal) -> Option<&Value> {
    if principal.kind() != PrincipalKind::ApiKey {
        return None;
    }
    principal.claims().get(SERVERS_CLAIM)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use omni_types::{Identity, Principal, PrincipalKind};
    use serde_json::{Value, json};

    use super::{SERVERS_CLAIM, out_of_reach};

    fn holder(kind: PrincipalKind, servers: Option<Value>) -> Principal {
        let mut identity = Identity::new(kind, "ci");
        identity.claims.extend(servers.map(|servers| (SERVERS_CLAIM.to_owned(), servers)));
        Principal::build(identity)
    }

    #[test]
    fn auth_7_a_key_for_some_servers_reaches_no_other() {
        let key = |servers| holder(PrincipalKind::ApiKey, Some(servers));
        assert_eq!(out_of_reach(&key(json!(["git", "files"])), "files"), None);
        assert!(out_of_reach(&key(json!(["git"])), "files").unwrap().contains("key:ci"));
        for broken in [json!([]), json!("files"), json!(null), json!({}), json!([["files"]])] {
            assert!(out_of_reach(&key(broken.clone()), "files").is_some(), "{broken}");
        }
        assert_eq!(out_of_reach(&holder(PrincipalKind::ApiKey, None), "files"), None);
        assert_eq!(out_of_reach(&holder(PrincipalKind::Token, Some(json!(["git"]))), "files"), None);
    }
}
