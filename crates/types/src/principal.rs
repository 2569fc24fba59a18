//! Whose call it is: the user context (row AUTH-5).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::digest::keyed_digest;

/// An authenticated caller. Made by the Auth module alone; a clone costs one counter.
///
/// Two principals are equal when they are the same caller: kind, issuer, tenant and id. What a caller may do (groups,
/// roles, permissions) may differ from one request to the next and is not part of that.
#[derive(Clone, Debug)]
pub struct Principal(Arc<Known>);

#[derive(Debug)]
struct Known {
    identity: Identity,
    authorization: OnceLock<u128>,
    kept_as: OnceLock<Box<str>>,
}

/// What is known of a caller.
#[derive(Clone, Debug)]
pub struct Identity {
    /// How the caller is known.
    pub kind: PrincipalKind,
    /// The name of the caller: the user's login, the token's `sub`, the key's name, the name of a certificate's that the operator
    /// chose.
    pub id: String,
    /// Who vouches for the name: the token's `iss`, the certificate's issuer.
    pub issuer: Option<String>,
    /// The organisation the caller belongs to, by the operator's mapping of claims.
    pub tenant: Option<String>,
    /// The program that calls: `client_id` or `azp` of a token, the id of a key.
    pub client: Option<String>,
    /// Groups, by the operator's mapping of claims.
    pub groups: Vec<String>,
    /// Roles, by the operator's mapping of claims.
    pub roles: Vec<String>,
    /// OAuth scopes and mapped permissions.
    pub permissions: Vec<String>,
    /// The claims as they were verified. Personal data: never in a log.
    pub claims: Map<String, Value>,
}

/// How the caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// The operating system's user on whose behalf the hub runs, over stdio or loopback.
    LocalUser,
    /// The subject of an access token (OAuth 2).
    Token,
    /// The holder of an API key.
    ApiKey,
    /// The holder of a client certificate (mutual TLS).
    Certificate,
}

impl PrincipalKind {
    /// The word for it in policies and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalUser => "local",
            Self::Token => "token",
            Self::ApiKey => "key",
            Self::Certificate => "certificate",
        }
    }
}

impl Identity {
    /// A caller of whom nothing but the name is known.
    pub fn new(kind: PrincipalKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            issuer: None,
            tenant: None,
            client: None,
            groups: Vec::new(),
            roles: Vec::new(),
            permissions: Vec::new(),
            claims: Map::new(),
        }
    }
}

impl Principal {
    /// The caller that `identity` describes.
    #[must_use]
    pub fn build(identity: Identity) -> Self {
        Self(Arc::new(Known { identity, authorization: OnceLock::new(), kept_as: OnceLock::new() }))
    }

    /// The local user `name`.
    #[must_use]
    pub fn local(name: &str) -> Self {
        Self::build(Identity::new(PrincipalKind::LocalUser, name))
    }

    /// The name of the caller; unique for its kind, issuer and tenant.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.identity.id
    }

    /// How the caller is known.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.0.identity.kind
    }

    /// Who vouches for the name.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.identity.issuer.as_deref()
    }

    /// The organisation the caller belongs to.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.0.identity.tenant.as_deref()
    }

    /// The program that calls.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.0.identity.client.as_deref()
    }

    /// Groups the caller is in.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.0.identity.groups
    }

    /// Roles the caller has.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.0.identity.roles
    }

    /// OAuth scopes and mapped permissions.
    #[must_use]
    pub fn permissions(&self) -> &[String] {
        &self.0.identity.permissions
    }

    /// The claims as they were verified.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0.identity.claims
    }

    /// A text that no other caller has, whatever characters stand in names: what is sealed for one caller is bound to it.
    #[must_use]
    pub fn binding(&self) -> String {
        let Identity { kind, id, issuer, tenant, .. } = &self.0.identity;
        let part = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), |text| format!("{}:{text}", text.len()));
        format!("{}\0{}\0{}\0{}", kind.as_str(), part(issuer.as_deref()), part(tenant.as_deref()), part(Some(id)))
    }

    /// Under what things of the caller's are kept where no name may stand: what `digest`, always the same function, makes of
    /// [`Principal::binding`]. It is made once and held as long as the caller is known.
    pub fn kept_as(&self, digest: impl FnOnce(&str) -> String) -> &str {
        self.0.kept_as.get_or_init(|| digest(&self.binding()).into())
    }

    /// A digest of everything about the caller that what they may do can depend on, but for the claims: those differ from one
    /// token of theirs to the next. It means nothing outside this process.
    #[must_use]
    pub fn authorization(&self) -> u128 {
        *self.0.authorization.get_or_init(|| {
            let Identity { client, groups, roles, permissions, .. } = &self.0.identity;
            keyed_digest(&(self.same(), client, groups, roles, permissions))
        })
    }

    fn same(&self) -> (PrincipalKind, Option<&str>, Option<&str>, &str) {
        (self.kind(), self.issuer(), self.tenant(), self.id())
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.same() == other.same()
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.same().hash(state);
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind().as_str(), self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Principal, PrincipalKind};

    fn token(id: &str, issuer: &str, tenant: Option<&str>, roles: &[&str]) -> Principal {
        Principal::build(Identity {
            issuer: Some(issuer.to_owned()),
            tenant: tenant.map(str::to_owned),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            ..Identity::new(PrincipalKind::Token, id)
        })
    }

    #[test]
    fn auth_5_the_same_caller_with_other_roles_is_the_same_caller() {
        assert_eq!(token("ann", "a", None, &["viewer"]), token("ann", "a", None, &["admin"]));
        assert_ne!(token("ann", "a", None, &[]), token("ann", "b", None, &[]));
        assert_ne!(token("ann", "a", None, &[]), token("ann", "a", Some("t"), &[]));
        assert_ne!(token("ann", "a", None, &[]), Principal::local("ann"));
    }

    #[test]
    fn auth_5_what_a_caller_may_do_is_told_apart() {
        let ann = token("ann", "a", None, &["viewer"]);
        assert_eq!(ann.authorization(), token("ann", "a", None, &["viewer"]).authorization());
        for other in [
            token("ann", "a", None, &["admin"]),
            token("ann", "a", None, &["viewer", ""]),
            token("ann", "b", None, &["viewer"]),
            token("bob", "a", None, &["viewer"]),
        ] {
            assert_ne!(ann.authorization(), other.authorization());
        }
    }

    #[test]
    fn auth_5_no_two_callers_have_one_binding() {
        let all = [
            token("b", "a", None, &[]),
            token("a", "b", None, &[]),
            token("-", "a\0-\0b:1", None, &[]),
            token("b", "a", Some("-"), &[]),
            token("b\0", "a", None, &[]),
            Principal::local("b"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other.binding() != one.binding()), "{one}");
        }
    }
}
