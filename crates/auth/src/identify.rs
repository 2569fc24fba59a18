//! Who sends a request: from what it presents to somebody who is known, or a refusal.

use std::sync::Arc;

use omni_types::{Principal, PrincipalKind};

use crate::auth_settings::{AuthMode, AuthSettings, CertificateSettings};
use crate::cache::{TokenCache, digest_of};
use crate::clock::now;
use crate::credentials::{Credentials, Presented, Source};
use crate::dpop::{Dpop, PROOF_ALGORITHMS};
use crate::identified::{Audience, Certified, Identified, Verified};
use crate::jwks::Provider;
use crate::local_tokens::LocalTokens;
use crate::methods::Method;
use crate::methods::certificate;
use crate::methods::introspect::IntrospectMethod;
use crate::methods::jwt::{self, JwtMethod};
use crate::methods::local_token::{KnownTokens, LocalTokenMethod};
use crate::refusal::Refusal;
use crate::revocations::Revocations;

/// What is said to a client that shows no token, where the hub gives out its own.
const NO_LOCAL_TOKEN: &str = "this hub wants a token: `omni connect CLIENT` writes one into the client's settings, \
                              `omni connect other` shows one for any other client";

/// What is said to one where others give them out.
const NO_TOKEN: &str = "this hub wants an access token: log in at the authorization server that its metadata names";

/// What is said where certificates alone, and keys, let in.
const NO_CERTIFICATE: &str = "this hub wants a client certificate, shown in the TLS handshake, or an API key";

/// Tells who sends a request.
#[derive(Debug)]
pub struct Authenticator {
    mode: AuthMode,
    /// The user that runs the hub.
    local: Identified,
    methods: Vec<Box<dyn Method>>,
    /// Take what no method takes: each what begins as its tokens do.
    opaque: Vec<IntrospectMethod>,
    /// What is known of this machine's own tokens.
    own_tokens: KnownTokens,
    /// What it was made by.
    settings: AuthSettings,
    /// What certificates say; `None` where they let nobody in.
    certificates: Option<CertificateSettings>,
    cache: TokenCache,
    revocations: Revocations,
    providers: Vec<Arc<Provider>>,
    issuers: Vec<String>,
    scopes: Vec<String>,
    dpop: Dpop,
}

impl Authenticator {
    /// One that takes everybody for `user`.
    #[must_use]
    pub fn trusting(user: Principal) -> Self {
        Self::new(AuthMode::None, user, Revocations::default())
    }

    /// The one that `settings` describe, for a hub that `user` runs and that keeps its tokens as `tokens`.
    #[must_use]
    pub fn build(settings: &AuthSettings, user: Principal, tokens: Option<LocalTokens>) -> Self {
        let mut made = Self::new(settings.mode, user, Revocations::default());
        made.dpop = Dpop::default().with(settings.dpop);
        Self::of(settings, made, tokens, &[])
    }

    /// The one that takes the place of this one, by other settings: with the same revocations, the keys of the servers that are
    /// the same, the tokens that were checked by what is the same, and the proofs that have served. It is
    /// [put in force](Self::put_in_force) apart.
    #[must_use]
    pub fn successor(&self, settings: &AuthSettings, tokens: Option<LocalTokens>) -> Self {
        let mut made = Self::new(settings.mode, self.local.principal().clone(), self.revocations.next());
        made.dpop = self.dpop.with(settings.dpop);
        made.own_tokens = self.own_tokens.clone();
        made.cache = self.cache.carried(&made.revocations, |verified| self.checks_as(settings, &verified.principal));
        Self::of(settings, made, tokens, &self.providers)
    }

    /// Whether by `settings` a token of `principal` would be checked as it was by these.
    fn checks_as(&self, settings: &AuthSettings, principal: &Principal) -> bool {
        let of = |settings: &AuthSettings| {
            let issuer = principal.issuer();
            settings.providers.iter().find(|one| Some(one.issuer.as_str()) == issuer).cloned()
        };
        let own = &self.settings;
        own.mode == settings.mode
            && match principal.kind() {
                PrincipalKind::Token => {
                    (&own.scopes, own.clock_skew_s) == (&settings.scopes, settings.clock_skew_s)
                        && of(own).is_some_and(|provider| of(settings) == Some(provider))
                }
                // Of these the hub itself keeps what they are.
                PrincipalKind::ApiKey | PrincipalKind::LocalUser => true,
                PrincipalKind::Certificate => false,
            }
    }

    /// From now on whoever was let in by the one before has to show again who they are, also where a stream is open.
    pub fn put_in_force(&self) {
        self.revocations.put_in_force();
    }

    /// Whether another one is in force.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.revocations.is_superseded()
    }

    /// Returns when another one is in force.
    pub async fn superseded(&self) {
        loop {
            let mut changed = std::pin::pin!(self.revocations.changed());
            changed.as_mut().enable();
            if self.revocations.is_superseded() {
                return;
            }
            changed.await;
        }
    }

    fn of(settings: &AuthSettings, mut made: Self, tokens: Option<LocalTokens>, known: &[Arc<Provider>]) -> Self {
        made.settings = settings.clone();
        let user = made.local.principal().clone();
        if let (AuthMode::Local, Some(tokens)) = (settings.mode, tokens) {
            let (revocations, known) = (made.revocations.clone(), made.own_tokens.clone());
            made = made.with(LocalTokenMethod::new(tokens, user, revocations, known));
        }
        made.certificates = settings.certificates.clone();
        if settings.mode == AuthMode::Certificate {
            made.certificates.get_or_insert_default();
        }
        if settings.mode == AuthMode::Oauth {
            made.issuers = settings.providers.iter().map(|provider| provider.issuer.clone()).collect();
            made.scopes.clone_from(&settings.scopes);
            let provider = |one| {
                let fresh = jwt::provider(one);
                known.iter().find(|old| old.is_same(&fresh)).map_or_else(|| Arc::new(fresh), Arc::clone)
            };
            let known: Vec<_> = settings.providers.iter().map(|one| (one.clone(), provider(one))).collect();
            made.providers = known.iter().map(|(_, provider)| Arc::clone(provider)).collect();
            let (scopes, leeway) = (&settings.scopes, settings.clock_skew_s);
            made = made.with(JwtMethod::new(known.clone(), scopes.clone(), leeway));
            for (one, provider) in known {
                let Some(introspection) = one.introspection.clone() else { continue };
                made.opaque.push(IntrospectMethod::new(one, introspection, provider, scopes.clone(), leeway));
            }
        }
        made
    }

    fn new(mode: AuthMode, user: Principal, revocations: Revocations) -> Self {
        Self {
            mode,
            local: Identified::new(Verified::new(user), &revocations.forever()),
            providers: Vec::new(),
            methods: Vec::new(),
            opaque: Vec::new(),
            own_tokens: KnownTokens::default(),
            settings: AuthSettings::default(),
            certificates: None,
            cache: TokenCache::default(),
            revocations,
            issuers: Vec::new(),
            scopes: Vec::new(),
            dpop: Dpop::default(),
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

    /// Whether everybody is taken for the user that runs the hub.
    #[must_use]
    pub fn is_trusting(&self) -> bool {
        self.mode == AuthMode::None
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
        &self.issuers
    }

    /// The scopes that every token of theirs must hold.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// The algorithms in which possession of a token's key is proved, where that is taken (RFC 9449).
    #[must_use]
    pub fn proof_algorithms(&self) -> Option<&'static str> {
        self.has_providers().then_some(PROOF_ALGORITHMS)
    }

    /// Whether every token has to be bound to a key.
    #[must_use]
    pub fn wants_proof(&self) -> bool {
        self.dpop.settings.required
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
        let now = now();
        let Some(presented) = Presented::read(credentials.headers)? else {
            return match credentials.certified {
                None => Err(Refusal::missing(self.way_in())),
                Some(Err(refusal)) => Err(refusal.clone()),
                Some(Ok(holder)) => holder.stands_at(now).map(|()| holder.clone()),
            };
        };
        let key = digest_of(presented.token());
        let identified = match self.cache.get(&key, now) {
            Some(identified) => identified,
            None => {
                let verified = Box::pin(self.verify(presented.token(), credentials.source)).await?;
                let identified = Identified::new(verified, &self.revocations);
                self.cache.put(key, &identified, now);
                identified
            }
        };
        identified.stands_at(now)?;
        is_for(identified.verified(), credentials)?;
        self.is_held(identified.verified(), presented, credentials)?;
        Ok(identified)
    }

    /// The holder of `der`, a certificate that the handshake of a connection has checked; `None` where certificates let
    /// nobody in.
    #[must_use]
    pub fn certified(&self, der: &[u8]) -> Option<Certified> {
        let settings = self.certificates.as_ref()?;
        Some(certificate::verify(settings, der).map(|verified| Identified::new(verified, &self.revocations)))
    }

    /// What is said to who shows nothing.
    const fn way_in(&self) -> &'static str {
        match self.mode {
            AuthMode::Local => NO_LOCAL_TOKEN,
            AuthMode::Certificate => NO_CERTIFICATE,
            AuthMode::None | AuthMode::Oauth => NO_TOKEN,
        }
    }

    /// A token that is bound to a key goes with a proof of its possession, and no other token does (RFC 9449 section 7.1).
    fn is_held(&self, token: &Verified, presented: Presented<'_>, at: &Credentials<'_>) -> Result<(), Refusal> {
        let of_provider = token.principal.kind() == PrincipalKind::Token;
        match (&token.bound_to, presented) {
            (Some(thumbprint), Presented::Dpop { token: text, proof }) => {
                self.dpop.check(at, (text, proof), (&token.principal, thumbprint))
            }
            (Some(_), Presented::Bearer(_)) => {
                Err(Refusal::invalid("the token is bound to a key: present it as `DPoP`, with a proof"))
            }
            (None, Presented::Dpop { .. }) => Err(Refusal::invalid("the token is not bound to a key")),
            (None, Presented::Bearer(_)) if of_provider && self.wants_proof() => {
                Err(Refusal::invalid("the token must be bound to a key (DPoP)"))
            }
            (None, Presented::Bearer(_)) => Ok(()),
        }
    }

    async fn verify(&self, token: &str, source: Option<Source<'_>>) -> Result<Verified, Refusal> {
        if let Some(method) = self.methods.iter().find(|method| method.takes(token)) {
            return method.verify(token).await;
        }
        // It is shown to one server alone, that which issued it: whoever sees a token could use it.
        let longest =
            self.opaque.iter().filter_map(|one| Some((one.claims(token)?, one))).max_by_key(|(length, _)| *length);
        match longest {
            Some((_, opaque)) => opaque.check(token, source).await,
            None => Err(Refusal::invalid("the token is of no kind that this hub knows")),
        }
    }
}

/// A token goes where it was issued for and nowhere else (RFC 8707 section 2).
fn is_for(verified: &Verified, credentials: &Credentials<'_>) -> Result<(), Refusal> {
    let here = match &verified.audience {
        Audience::Hub => true,
        Audience::Named(all) => all.iter().any(|one| credentials.bases.is(one, credentials.resource)),
    };
    if here { Ok(()) } else { Err(Refusal::invalid("the token was issued for another resource")) }
}
