//! Access tokens that say what they are themselves, signed by their issuer (RFC 9068).

use std::sync::Arc;
use std::time::Duration;

use crate::auth_settings::ProviderSettings;
use crate::claims;
use crate::clock::now;
use crate::identified::{Audience, Verified};
use crate::jwks::{Keeping, Provider};
use crate::methods::{Method, Verifying, bound_to, grant};
use crate::refusal::Refusal;
use crate::token::{Compact, Times};

/// What the header of every such token begins with: `{"` in base64url.
const HEADER_BEGINS: &str = "ey";

/// The issuers whose tokens are taken.
#[derive(Debug)]
pub(crate) struct JwtMethod {
    issuers: Vec<(ProviderSettings, Arc<Provider>)>,
    scopes: Vec<String>,
    leeway: u64,
}

/// The authorization server that `settings` describe.
pub(crate) fn provider(settings: &ProviderSettings) -> Provider {
    let keeping = Keeping {
        refresh: Duration::from_secs(settings.keys_refresh_s),
        stale_max: Duration::from_secs(settings.keys_stale_max_s),
        floor: Duration::from_secs(settings.keys_floor_s),
    };
    Provider::new(&settings.issuer, settings.jwks_uri.clone(), keeping)
}

impl JwtMethod {
    pub(crate) const fn new(issuers: Vec<(ProviderSettings, Arc<Provider>)>, scopes: Vec<String>, leeway: u64) -> Self {
        Self { issuers, scopes, leeway }
    }

    async fn check(&self, token: &str) -> Result<Verified, Refusal> {
        let none = || Refusal::invalid("the token cannot be read");
        let read = Compact::parse(token).map_err(|error| none().because(error.to_string()))?;
        let issuer = read.text("iss").unwrap_or_default();
        let known = self.issuers.iter().find(|(settings, _)| settings.issuer == issuer);
        let (settings, provider) =
            known.ok_or_else(|| Refusal::invalid("the token's issuer is none that this hub knows"))?;
        if !settings.algorithms.contains(&read.algorithm) {
            return Err(Refusal::invalid("the token is signed in a way that is not taken of its issuer"));
        }
        let kind = read.kind();
        let fits = |one: &String| kind.as_deref() == Some(&*one.to_ascii_lowercase());
        if !settings.token_types.iter().any(fits) {
            let why = format!("typ is {kind:?}; auth.providers[].token_types says which are taken");
            return Err(Refusal::invalid("the token is no access token").because(why));
        }
        // What has ended is not worth a look at keys.
        let times = Times::check(&read.claims, now(), self.leeway)?;
        let key = provider.key(read.key_id.as_deref(), read.algorithm).await?;
        let (signed, signature) = read.signature();
        if !key.verifies(read.algorithm, signed, signature) {
            return Err(Refusal::invalid("the token is not signed by a key of its issuer"));
        }
        let audiences = read.texts("aud").ok_or_else(|| Refusal::invalid("the token does not say what it is for"))?;
        let audience = audience(settings, audiences);
        let id = read.text("jti").map(str::to_owned);
        let bound_to = bound_to(&read.claims)?;
        let principal = claims::principal(&settings.claims, issuer, read.claims.clone())?;
        grant(&principal, &self.scopes)?;
        Ok(Verified {
            id,
            issued_at: times.issued_at,
            expires_at: Some(times.expires_at),
            leeway: self.leeway,
            audience,
            bound_to,
            // A key that its issuer withdraws must not live on in the tokens that it signed, whatever end they name.
            keep_s: Some(settings.keys_refresh_s),
            ..Verified::new(principal)
        })
    }
}

/// What a token with these audiences is good for.
pub(crate) fn audience(settings: &ProviderSettings, audiences: Vec<String>) -> Audience {
    if audiences.iter().any(|one| settings.audiences.contains(one)) {
        Audience::Hub
    } else {
        Audience::Named(audiences)
    }
}

impl Method for JwtMethod {
    fn takes(&self, token: &str) -> bool {
        token.starts_with(HEADER_BEGINS) && token.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    fn verify<'a>(&'a self, token: &'a str) -> Verifying<'a> {
        Box::pin(self.check(token))
    }
}
