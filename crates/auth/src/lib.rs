//! The Auth module: who a call is from, and what they may do.

mod auth_settings;
mod bases;
mod cache;
mod claims;
mod clock;
mod credentials;
mod dpop;
mod identified;
mod identify;
mod jwks;
mod local_tokens;
mod local_user;
mod methods;
mod policy;
mod reach;
mod refusal;
mod revocations;
pub mod settings;
mod token;
mod unique;

pub use bases::Bases;
pub use credentials::{Credentials, Source};
pub use identified::{Audience, Certified, Identified, Verified};
pub use identify::Authenticator;
pub use jwks::{KeySet, KeySetError, may_be_asked};
pub use local_tokens::{LOCAL_TOKEN_PREFIX, LocalTokens};
pub use local_user::local_user;
pub use methods::api_key::{API_KEY_DIGEST_BYTES, ApiKey, ApiKeyMethod, ApiKeys, FreshApiKey, Grants, SERVERS_CLAIM};
pub use methods::{Method, Verifying};
pub use policy::{
    Access, Action, Approver, Arguments, Ask, Decided, Decision, Denial, Explanation, Hints, Policy, PolicyFault,
    PolicyPlace, PolicySpot, Surroundings, ThingKind, plain_uri,
};
pub use refusal::{Refusal, RefusalKind};
pub use revocations::{Revocation, Revocations, TooManyRevocations};
pub use token::{Algorithm, reads_token};
