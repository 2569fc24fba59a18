//! Ways to tell whose a token is. A method is a file here and a line where the authenticator is put together.

use std::fmt::Debug;
use std::pin::Pin;

use omni_types::Principal;
use serde_json::{Map, Value};

use crate::identified::Verified;
use crate::refusal::Refusal;

pub(crate) mod api_key;
pub(crate) mod certificate;
pub(crate) mod introspect;
pub(crate) mod jwt;
pub(crate) mod local_token;
mod turns;

/// A token being checked.
pub type Verifying<'a> = Pin<Box<dyn Future<Output = Result<Verified, Refusal>> + Send + 'a>>;

/// One way to tell whose a token is.
///
/// What it answers is kept under the token's digest up to the token's end (or for `keep_s`); later than that nobody asks it
/// again, so a token that is to be refused earlier is told to the [`crate::Revocations`].
pub trait Method: Debug + Send + Sync {
    /// Whether tokens of this form are its business. By form alone: the first method that says yes decides.
    fn takes(&self, token: &str) -> bool;

    /// Checks `token`.
    fn verify<'a>(&'a self, token: &'a str) -> Verifying<'a>;

    /// Called about once a second, for what has to be looked at from time to time.
    fn tick(&self) {}
}

/// Whether a token holds every scope that is asked of all.
pub(crate) fn grant(principal: &Principal, scopes: &[String]) -> Result<(), Refusal> {
    let holds = |scope: &String| principal.permissions().contains(scope);
    if scopes.iter().all(holds) { Ok(()) } else { Err(Refusal::scope(scopes.to_vec())) }
}

/// Thumbprint of the key that a token with these claims is bound to (RFC 9449 section 6), if it is bound.
///
/// # Errors
/// When it is bound in a way that nobody here can check, e.g. to a certificate: it is no token for any bearer.
pub(crate) fn bound_to(claims: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    let Some(confirmation) = claims.get("cnf") else { return Ok(None) };
    let thumbprint = confirmation.get("jkt").and_then(Value::as_str).map(str::to_owned);
    thumbprint.map(Some).ok_or_else(|| Refusal::invalid("the token is bound in a way that is not known here"))
}
