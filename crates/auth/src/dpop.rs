//! Proof of possession (RFC 9449): who presents a token that is bound to a key shows, for this request, to have the key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::auth_settings::DpopSettings;
use crate::cache::{Digest, digest_of};
use crate::clock::now;
use crate::credentials::Credentials;
use crate::refusal::Refusal;
use crate::token::{Algorithm, Compact, Key};
use omni_types::{Principal, random};

/// The type of a proof.
const PROOF_TYPE: &str = "dpop+jwt";
/// Seconds for which a proof is good, before and after the moment that it says it was made at.
const PROOF_S: u64 = 60;
/// Proofs that are remembered, so that none serves twice.
const SEEN_MAX: usize = 100_000;
/// Those of one key: one client takes nobody else's room.
const SEEN_OF_KEY_MAX: usize = 10_000;
/// Those of one principal: keys are made as one likes.
const SEEN_OF_PRINCIPAL_MAX: usize = 25_000;
/// Characters of a proof's id.
const ID_BYTES_MAX: usize = 256;
/// Random bytes of a nonce.
const NONCE_BYTES: usize = 24;
/// Seconds for which a nonce is given out; it is taken for as long again.
const NONCE_S: u64 = 120;

/// The algorithms in which proofs are taken, as a challenge names them.
pub(crate) const PROOF_ALGORITHMS: &str = "ES256 ES384 EdDSA PS256 PS384 PS512 RS256 RS384 RS512";

/// Looks at proofs.
#[derive(Debug, Default)]
pub(crate) struct Dpop {
    pub(crate) settings: DpopSettings,
    seen: Arc<Mutex<Seen>>,
    nonces: Arc<Mutex<Nonces>>,
}

/// Proofs that have served, and until when they would be good.
#[derive(Debug, Default)]
struct Seen {
    /// Of each principal and key, by the digest of its thumbprint.
    of_keys: HashMap<Digest, Keys>,
    /// How many there are.
    count: usize,
    /// When it was last cleared of those that have ended.
    cleared_at: u64,
}

/// What the keys of one principal have proved.
#[derive(Debug, Default)]
struct Keys {
    proofs: HashMap<Digest, HashMap<Digest, u64>>,
    count: usize,
}

/// Whose proof it is: of which principal, by which key.
#[derive(Debug, Clone, Copy)]
struct Prover {
    principal: Digest,
    key: Digest,
}

#[derive(Debug, Default)]
struct Nonces {
    current: String,
    before: String,
    since: u64,
}

impl Dpop {
    /// The same proofs and nonces, by other settings: what has served has served.
    pub(crate) fn with(&self, settings: DpopSettings) -> Self {
        Self { settings, seen: Arc::clone(&self.seen), nonces: Arc::clone(&self.nonces) }
    }

    /// Checks that `proof` was made for this request and this token of `principal`, by the key that `thumbprint` names.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(
        &self,
        credentials: &Credentials<'_>,
        (token, proof): (&str, &str),
        (principal, thumbprint): (&Principal, &str),
    ) -> Result<(), Refusal> {
        let wrong = |why: &'static str| Refusal::bad_proof(why);
        let read =
            Compact::parse(proof).map_err(|error| wrong("the DPoP proof cannot be read").because(error.to_string()))?;
        if read.kind().as_deref() != Some(PROOF_TYPE) {
            return Err(wrong("the DPoP proof's type is not dpop+jwt"));
        }
        let key = read.header.get("jwk").and_then(|jwk| Key::of_jwk(jwk.as_object()?));
        let key = key.ok_or_else(|| wrong("the DPoP proof brings no public key of a kind that is taken"))?;
        let (signed, signature) = read.signature();
        if !key.verifies(read.algorithm, signed, signature) {
            return Err(wrong("the DPoP proof is not signed by the key it brings"));
        }
        if key.thumbprint() != thumbprint {
            return Err(wrong("the token is bound to another key than the DPoP proof's"));
        }
        if read.text("htm") != Some(credentials.method) {
            return Err(wrong("the DPoP proof was made for another method (htm)"));
        }
        let uri = read.text("htu").unwrap_or_default();
        let uri = uri.split(['?', '#']).next().unwrap_or_default();
        if !credentials.bases.is(uri, credentials.path) {
            return Err(wrong("the DPoP proof was made for another address (htu)"));
        }
        if read.text("ath") != Some(&*URL_SAFE_NO_PAD.encode(digest_of(token))) {
            return Err(wrong("the DPoP proof was made for another token (ath)"));
        }
        let now = now();
        let made_at = read.claims.get("iat").and_then(serde_json::Value::as_u64);
        let made_at = made_at.filter(|at| at.abs_diff(now) <= PROOF_S);
        let made_at = made_at.ok_or_else(|| wrong("the DPoP proof was made at another time (iat)"))?;
        if self.settings.nonce {
            self.check_nonce(read.text("nonce"), now)?;
        }
        let id = read.text("jti").filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX);
        let id = id.ok_or_else(|| wrong("the DPoP proof has no id (jti)"))?;
        let whose = format!("{}\n{}", principal.issuer().unwrap_or_default(), principal.id());
        let prover = Prover { principal: digest_of(&whose), key: digest_of(thumbprint) };
        self.take(prover, digest_of(id), made_at + PROOF_S, now)
    }

    /// A proof serves once. When there is no room to remember more, none is taken: of this key, of this principal, or of any.
    fn take(&self, prover: Prover, id: Digest, until: u64, now: u64) -> Result<(), Refusal> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if (seen.count >= SEEN_MAX / 2 || seen.is_full(prover)) && seen.cleared_at != now {
            seen.clear(now);
        }
        if seen.is_full(prover) || seen.count >= SEEN_MAX {
            return Err(Refusal::unavailable("as many DPoP proofs came as are remembered"));
        }
        let own = seen.of_keys.entry(prover.principal).or_default();
        if own.proofs.entry(prover.key).or_default().insert(id, until).is_some() {
            return Err(Refusal::bad_proof("the DPoP proof has served before"));
        }
        own.count += 1;
        seen.count += 1;
        Ok(())
    }

    fn check_nonce(&self, nonce: Option<&str>, now: u64) -> Result<(), Refusal> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(nonces.since) >= NONCE_S {
            let fresh = random::<NONCE_BYTES>().map_err(|error| Refusal::unavailable(error.to_string()))?;
            let was = std::mem::replace(&mut nonces.current, URL_SAFE_NO_PAD.encode(fresh));
            // One that nobody was given for long is none.
            nonces.before = if now.saturating_sub(nonces.since) < 2 * NONCE_S { was } else { String::new() };
            nonces.since = now;
        }
        let good = nonce.is_some_and(|nonce| !nonce.is_empty() && (nonce == nonces.current || nonce == nonces.before));
        if good { Ok(()) } else { Err(Refusal::wants_nonce(nonces.current.clone())) }
    }
}

impl Seen {
    /// Whether a principal, or the key, has as many as it may.
    fn is_full(&self, prover: Prover) -> bool {
        self.of_keys.get(&prover.principal).is_some_and(|own| {
            let of_key = own.proofs.get(&prover.key).map_or(0, HashMap::len);
            own.count >= SEEN_OF_PRINCIPAL_MAX || of_key >= SEEN_OF_KEY_MAX
        })
    }

    /// Forgets what would not be good any more.
    fn clear(&mut self, now: u64) {
        self.of_keys.retain(|_, own| {
            own.proofs.retain(|_, of_key| {
                of_key.retain(|_, until| *until >= now);
                !of_key.is_empty()
            });
            own.count = own.proofs.values().map(HashMap::len).sum();
            own.count > 0
        });
        self.count = self.of_keys.values().map(|own| own.count).sum();
        self.cleared_at = now;
    }
}

/// Every algorithm that is listed is one, and none is missing.
const _: () = assert!(Algorithm::ALL.len() == 9);

#[cfg(test)]
mod tests {
    use super::{Dpop, PROOF_S, Prover, SEEN_MAX, SEEN_OF_KEY_MAX, SEEN_OF_PRINCIPAL_MAX};
    use crate::cache::digest_of;

    fn take(dpop: &Dpop, (principal, key): (&str, &str), id: usize, now: u64) -> bool {
        let prover = Prover { principal: digest_of(principal), key: digest_of(key) };
        dpop.take(prover, digest_of(&id.to_string()), now + PROOF_S, now).is_ok()
    }

    /// AUTH-2: who makes proofs without end ends their own, and a proof serves once all the while.
    #[test]
    fn auth_2_one_key_takes_no_room_from_another() {
        let dpop = Dpop::default();
        let take = |key: &str, id: usize, now| take(&dpop, ("ann", key), id, now);
        assert!((0..SEEN_OF_KEY_MAX).all(|id| take("greedy", id, 100)));
        assert!(!take("greedy", SEEN_OF_KEY_MAX, 100));
        assert!(take("other", 0, 100) && !take("other", 0, 100) && !take("other", 0, 100 + PROOF_S));
        assert!(!take("greedy", 0, 100 + PROOF_S), "still good, and it has served");
        assert!(take("greedy", 0, 101 + PROOF_S), "those that would not be good any more make room");
    }

    /// AUTH-2: keys are free, so what counts is whose they are; and of all together no more is remembered than may be.
    #[test]
    fn auth_2_one_principal_takes_no_room_from_another_however_many_keys_it_makes() {
        let dpop = Dpop::default();
        let many = |who: &str, ids: usize| {
            (0..ids).filter(|id| take(&dpop, (who, &format!("key {}", id % 50)), *id, 1_000)).count()
        };
        assert_eq!(many("greedy", SEEN_OF_PRINCIPAL_MAX * 2), SEEN_OF_PRINCIPAL_MAX);
        assert!(take(&dpop, ("other", "key 1"), 1, 1_000) && !take(&dpop, ("other", "key 1"), 1, 1_000));
        let all: usize = (0..8).map(|who| many(&who.to_string(), SEEN_MAX / 5)).sum();
        assert_eq!(all + SEEN_OF_PRINCIPAL_MAX + 1, SEEN_MAX);
    }
}
