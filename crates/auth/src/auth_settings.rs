//! The `auth` section of `omni.yaml` as it is written.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token::Algorithm;

/// How the hub tells who calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// Whom HTTP clients have to be.
    pub mode: AuthMode,
    /// The authorization servers whose tokens are taken (`mode: oauth`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderSettings>,
    /// Scopes that every token of theirs must hold; clients are told to ask for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// What a client's certificate says of its holder, who is let in by it (`gateway.tls.client_certificates` says which are
    /// believed). A token that is shown beside one decides; without one, the certificate does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<CertificateSettings>,
    /// Seconds by which clocks may differ.
    #[schemars(range(min = 0, max = 300))]
    pub clock_skew_s: u64,
    /// Tokens bound to a key of the client's, which it proves to have with each request (DPoP, RFC 9449).
    pub dpop: DpopSettings,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            mode: AuthMode::default(),
            providers: Vec::new(),
            scopes: Vec::new(),
            certificates: None,
            clock_skew_s: 30,
            dpop: DpopSettings::default(),
        }
    }
}

/// Whom HTTP clients have to be. (Over stdio the client is the user that started `omni`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// The user that runs the hub, shown by a token that `omni connect` writes for each client.
    #[default]
    Local,
    /// Anybody who can reach the address: on loopback alone, every program of every user of this machine.
    None,
    /// Whoever one of `providers` vouches for: the hub is an OAuth 2 resource server.
    Oauth,
    /// Whoever has a certificate that `gateway.tls.client_certificates` believes; and holders of API keys.
    Certificate,
}

/// What the certificate of a client (mutual TLS) says of its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CertificateSettings {
    /// Who it is: a certificate must have exactly one of these. It must never be given to anybody else.
    pub id: CertificateField,
    /// The organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<CertificateField>,
    /// Groups, from all of these.
    pub groups: Vec<CertificateField>,
    /// Roles, from all of these. Whoever has such a certificate made chooses what the holder may do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<CertificateField>,
}

impl Default for CertificateSettings {
    fn default() -> Self {
        Self {
            id: CertificateField::CommonName,
            tenant: None,
            groups: vec![CertificateField::OrganizationalUnit],
            roles: Vec::new(),
        }
    }
}

/// A name in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateField {
    /// The whole subject, as RFC 4514 writes it: `CN=ann,OU=dev,O=Example`.
    Subject,
    /// `CN` of the subject.
    CommonName,
    /// `O` of the subject.
    Organization,
    /// `OU` of the subject.
    OrganizationalUnit,
    /// A URI among the alternative names, such as a SPIFFE id.
    Uri,
    /// A DNS name among the alternative names.
    Dns,
    /// An e-mail address among the alternative names.
    Email,
}

impl CertificateField {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Subject,
        Self::CommonName,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::Uri,
        Self::Dns,
        Self::Email,
    ];
}

impl fmt::Display for CertificateField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subject => "subject",
            Self::CommonName => "common_name",
            Self::Organization => "organization",
            Self::OrganizationalUnit => "organizational_unit",
            Self::Uri => "uri",
            Self::Dns => "dns",
            Self::Email => "email",
        })
    }
}

/// One authorization server (OAuth 2, OpenID Connect).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its issuer identifier, to the letter as it stands in tokens. Where its keys are is found out from there.
    pub issuer: String,
    /// Where its keys are, for one that does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Audiences that are taken at every endpoint, for one that does not issue tokens for a resource (RFC 8707). Without
    /// any, a token must be issued for the endpoint that it is used at, e.g. `http://127.0.0.1:8420/mcp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Signature algorithms of its tokens.
    #[serde(default = "all_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// Types that its tokens may have (`typ`). Add `JWT` for one that does not mark access tokens as `at+jwt` (RFC 9068).
    #[serde(default = "access_tokens")]
    pub token_types: Vec<String>,
    /// What its claims mean.
    #[serde(default)]
    pub claims: ClaimSettings,
    /// How its opaque tokens are looked up (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<IntrospectionSettings>,
    /// Seconds after which its keys are fetched anew.
    #[serde(default = "keys_refresh_s")]
    #[schemars(range(min = 1, max = 86_400))]
    pub keys_refresh_s: u64,
    /// Seconds for which its keys are used while it cannot be reached.
    #[serde(default = "keys_stale_max_s")]
    #[schemars(range(min = 1, max = 604_800))]
    pub keys_stale_max_s: u64,
    /// Seconds between two fetches because a token names a key that is not known.
    #[serde(default = "keys_floor_s")]
    #[schemars(range(min = 1, max = 3_600))]
    pub keys_floor_s: u64,
}

fn all_algorithms() -> Vec<Algorithm> {
    Algorithm::ALL.to_vec()
}

fn access_tokens() -> Vec<String> {
    vec!["at+jwt".to_owned()]
}

const fn keys_refresh_s() -> u64 {
    300
}

const fn keys_stale_max_s() -> u64 {
    14_400
}

const fn keys_floor_s() -> u64 {
    30
}

/// Which claim says what. A name with dots is a path, e.g. `realm_access.roles`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSettings {
    /// Who it is. It must never be given to anybody else.
    pub id: String,
    /// The organisation.
    pub tenant: String,
    /// The program; the first that is there.
    pub client: Vec<String>,
    /// Groups, from all of these.
    pub groups: Vec<String>,
    /// Roles, from all of these.
    pub roles: Vec<String>,
    /// Scopes and permissions, from all of these.
    pub permissions: Vec<String>,
}

impl Default for ClaimSettings {
    fn default() -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            id: "sub".to_owned(),
            tenant: "tenant".to_owned(),
            client: list(&["client_id", "azp"]),
            groups: list(&["groups"]),
            roles: list(&["roles"]),
            permissions: list(&["scope", "scp", "permissions"]),
        }
    }
}

/// How opaque tokens are looked up (RFC 7662).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntrospectionSettings {
    /// Where, for a server that does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// As which client the hub asks.
    pub client_id: String,
    /// Its secret, e.g. `${ENV:OMNI_INTROSPECTION_SECRET}`.
    pub client_secret: String,
    /// What its tokens begin with: it is asked about those alone. Of several providers that are asked, all but one need this,
    /// because a token is shown to nobody but who issued it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub token_prefixes: Vec<String>,
    /// Seconds for which an answer is kept: so long a token that was revoked at the provider may still be taken.
    #[serde(default = "introspection_keep_s")]
    #[schemars(range(min = 0, max = 3_600))]
    pub keep_s: u64,
}

const fn introspection_keep_s() -> u64 {
    30
}

/// Tokens bound to a key (DPoP, RFC 9449).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DpopSettings {
    /// Whether every token of a provider has to be bound to a key. (One that is bound is never taken without its proof.)
    pub required: bool,
    /// Whether proofs have to carry a nonce of the hub's, so that none can be made ahead.
    pub nonce: bool,
}
