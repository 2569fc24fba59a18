//! Who sends a request: from what it presents to somebody who is known, or a refusal.

use omni_types::Principal;

use crate::auth_settings::{AuthMode, AuthSettings};
use crate::cache::{TokenCache, digest_of};
use crate::clock::now;
use crate::credentials::{Credentials, Presented};
use crate::identified::{Audience, Identified, Verified};
use crate::local_tokens::LocalTokens;
use crate::methods::Method;
use crate::methods::local_token::LocalTokenMethod;
use crate::refusal::Refusal;
use crate::revocations::Revocations;

/// What is said to a client that shows no token, where the hub gives out its own.
const NO_LOCAL_TOKEN: &str = "this hub wants a token: `omni connect CLIENT` writes one into the client's settings, \
                              `omni connect other` shows one for any other client";

/// Tells who sends a request.
#[derive(Debug)]
pub struct Authenticator {
    mode: AuthMode,
    /// The user that runs the hub.
    local: Identified,
    methods: Vec<Box<dyn Method>>,
    cache: TokenCache,
    revocations: Revocations,
}

impl Authenticator {
    /// One that takes everybody for `user`.
    #[must_use]
    pub fn trusting(user: Principal) -> Self {
        Self::new(AuthMode::None, user)
    }

    /// The one that `settings` describe, for a hub that `user` runs and that keeps its tokens as `tokens`.
    #[must_use]
    pub fn build(settings: &AuthSettings, user: Principal, tokens: Option<LocalTokens>) -> Self {
        let mut made = Self::new(settings.mode, user.clone());
        if let (AuthMode::Local, Some(tokens)) = (settings.mode, tokens) {
            let revocations = made.revocations.clone();
            made = made.with(LocalTokenMethod::new(tokens, user, revocations));
        }
        made
    }

    fn new(mode: AuthMode, user: Principal) -> Self {
        let revocations = Revocations::default();
        Self {
            mode,
            local: Identified::new(Verified::new(user), &revocations),
            methods: Vec::new(),
            cache: TokenCache::default(),
            revocations,
        }
    }

    /// Adds a method, which is asked after those before it.
    #[must_use]
    pub fn with(mut self, method: impl Method + 'static) -> Self {
        self.methods.push(Box::new(method));
        self
    }

    /// The user that runs the hub: who speaks over stdio.
    #[must_use]
    pub const fn local(&self) -> &Identified {
        &self.local
    }

    /// What is refused whatever speaks for it.
    #[must_use]
    pub const fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Whether tokens of authorization servers are taken.
    #[must_use]
    pub fn has_providers(&self) -> bool {
        !self.issuers().is_empty()
    }

    /// The authorization servers whose tokens are taken.
    #[must_use]
    pub fn issuers(&self) -> &[String] {
        &[]
    }

    /// The scopes that every token of theirs must hold.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &[]
    }

    /// The algorithms in which possession of a token's key is proved, where that is taken (RFC 9449).
    #[must_use]
    pub fn proof_algorithms(&self) -> Option<String> {
        None
    }

    /// Whether every token has to be bound to a key.
    #[must_use]
    pub fn wants_proof(&self) -> bool {
        false
    }

    /// Looks after what methods keep; to be called about once a second.
    pub fn tick(&self) {
        self.methods.iter().for_each(|method| method.tick());
    }

    /// Tells who sends a request.
    ///
    /// # Errors
    /// Why that cannot be told, or why the token is not good here.
    pub async fn identify(&self, credentials: &Credentials<'_>) -> Result<Identified, Refusal> {
        if self.mode == AuthMode::None {
            return Ok(self.local.clone());
        }
        let Some(presented) = Presented::read(credentials.headers)? else {
            return Err(Refusal::missing(NO_LOCAL_TOKEN));
        };
        let (key, now) = (digest_of(presented.token()), now());
        let identified = match self.cache.get(&key, now) {
            Some(identified) => identified,
            None => {
                let verified = Box::pin(self.verify(presented.token())).await?;
                let identified = Identified::new(verified, &self.revocations);
                self.cache.put(key, &identified, now);
                identified
            }
        };
        identified.stands_at(now)?;
        is_for(identified.verified(), credentials)?;
        Ok(identified)
    }

    async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let method = self.methods.iter().find(|method| method.takes(token));
        let method = method.ok_or_else(|| Refusal::invalid("the token is of no kind that this hub knows"))?;
        method.verify(token).await
    }
}

/// A token goes where it was issued for and nowhere else (RFC 8707 section 2).
fn is_for(verified: &Verified, credentials: &Credentials<'_>) -> Result<(), Refusal> {
    let here = match &verified.audience {
        Audience::Hub => true,
        Audience::Named(all) => all.iter().any(|one| credentials.bases.is(one, credentials.path)),
    };
    if here { Ok(()) } else { Err(Refusal::invalid("the token was issued for another resource")) }
}
