//! Somebody whose token was checked: the proof that the stages ask for, and that it still holds.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use omni_types::Principal;

use crate::clock::now;
use crate::refusal::Refusal;
use crate::revocations::Revocations;

/// What a method found out about a token.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Whose it is.
    pub principal: Principal,
    /// Its id, by which it is revoked.
    pub id: Option<String>,
    /// When it was issued, seconds since 1970.
    pub issued_at: Option<u64>,
    /// When it ends, seconds since 1970; `None` for one that ends by revocation alone.
    pub expires_at: Option<u64>,
    /// Seconds for which it is taken after its end, because clocks differ.
    pub leeway: u64,
    /// What it is for.
    pub audience: Audience,
    /// Thumbprint of the key whose possession has to be proved (RFC 9449 `cnf.jkt`).
    pub bound_to: Option<String>,
    /// Seconds for which it may be taken without another look; `None` to its end.
    pub keep_s: Option<u64>,
}

/// Which endpoints a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// All of this hub: the hub itself, or its operator's own provider setting, gave it out so.
    Hub,
    /// The resources it names (RFC 8707).
    Named(Vec<String>),
}

impl Verified {
    /// A token of `principal` for all of the hub, without an end.
    #[must_use]
    pub const fn new(principal: Principal) -> Self {
        Self {
            principal,
            id: None,
            issued_at: None,
            expires_at: None,
            leeway: 0,
            audience: Audience::Hub,
            bound_to: None,
            keep_s: None,
        }
    }
}

/// Somebody who is known. Made by the Auth module alone.
#[derive(Debug, Clone)]
pub struct Identified {
    known: Arc<Known>,
    address: Option<IpAddr>,
}

#[derive(Debug)]
struct Known {
    verified: Verified,
    revocations: Revocations,
    /// The generation of the revocations at which it was not among them.
    clean_at: AtomicU64,
    /// Digests of the addresses from which it was seen; 0 is none.
    seen_at: [AtomicU64; ADDRESSES_MAX],
}

/// The holder of a connection's certificate, or why it names nobody here.
pub type Certified = Result<Identified, Refusal>;

/// Addresses of one token that are told apart; it is new at none of any further ones.
const ADDRESSES_MAX: usize = 8;

/// Seconds between two looks at the system's clock.
const LOOK_S: u64 = 60;
/// For a generation that never comes.
const NEVER: u64 = u64::MAX;

impl Identified {
    pub(crate) fn new(verified: Verified, revocations: &Revocations) -> Self {
        let known = Known {
            verified,
            revocations: revocations.clone(),
            clean_at: AtomicU64::new(NEVER),
            seen_at: Default::default(),
        };
        Self { known: Arc::new(known), address: None }
    }

    /// Whose it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.known.verified.principal
    }

    /// The same, seen at `address`.
    #[must_use]
    pub fn seen_at(self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    /// The address from which it speaks; `None` where it came over no network.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// `true` the first time it is asked at this address: then its login is written down. A token that is checked anew is
    /// new everywhere.
    #[must_use]
    pub fn is_new_here(&self) -> bool {
        let here = self.address.map_or(1, digest);
        for slot in &self.known.seen_at {
            match slot.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) if seen == here => return false,
                Err(_) => {}
            }
        }
        false
    }

    pub(crate) fn verified(&self) -> &Verified {
        &self.known.verified
    }

    /// When it ends, seconds since 1970.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.known.verified.expires_at
    }

    /// Whether it still holds: what lives longer than a request (streams, channels) asks again with each message.
    ///
    /// # Errors
    /// When it has ended or was revoked.
    pub fn stands(&self) -> Result<(), Refusal> {
        self.stands_at(now())
    }

    /// Returns when it holds no longer: what is open on its account ends then.
    pub async fn ended(&self) -> Refusal {
        let Known { verified, revocations, .. } = &*self.known;
        loop {
            let mut changed = std::pin::pin!(revocations.changed());
            changed.as_mut().enable();
            let now = now();
            if let Err(refusal) = self.stands_at(now) {
                return refusal;
            }
            match verified.expires_at {
                None => changed.await,
                Some(end) => {
                    // The system's clock may be set meanwhile, so it is asked again from time to time.
                    let left = end.saturating_add(verified.leeway).saturating_sub(now).clamp(1, LOOK_S);
                    let _either = tokio::time::timeout(Duration::from_secs(left), changed).await;
                }
            }
        }
    }

    /// Returns when it is revoked, or other logins are in force. Its end by time is not waited for: that costs a timer, and who
    /// waits here looks at it afterwards.
    pub async fn revoked(&self) -> Refusal {
        loop {
            let mut changed = std::pin::pin!(self.known.revocations.changed());
            changed.as_mut().enable();
            if let Err(refusal) = self.stands() {
                return refusal;
            }
            changed.await;
        }
    }

    pub(crate) fn stands_at(&self, now: u64) -> Result<(), Refusal> {
        let Known { verified, revocations, clean_at, .. } = &*self.known;
        if verified.expires_at.is_some_and(|end| now >= end.saturating_add(verified.leeway)) {
            return Err(Refusal::invalid("the token has expired"));
        }
        let generation = revocations.generation();
        if clean_at.load(Ordering::Relaxed) != generation {
            let Verified { principal, id, issued_at, .. } = verified;
            if revocations.is_superseded() {
                return Err(Refusal::invalid("the settings of logins have changed: log in again"));
            }
            if principal.issuer().is_some() && revocations.is_lost() {
                return Err(Refusal::unavailable("the list of revocations cannot be read"));
            }
            if revocations.covers(principal.issuer(), id.as_deref(), principal.id(), *issued_at) {
                return Err(Refusal::invalid("the token was revoked"));
            }
            clean_at.store(generation, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Not 0.
fn digest(address: IpAddr) -> u64 {
    let bits = match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let high = u64::try_from(bits >> 64).unwrap_or_default();
    let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    (low ^ high.rotate_left(31)) | 1 << 63
}

#[cfg(test)]
mod tests {
    use omni_types::Principal;

    use super::{ADDRESSES_MAX, Identified, Verified};
    use crate::revocations::Revocations;

    #[test]
    fn auth_6_a_token_is_new_once_at_each_address() {
        let known = Identified::new(Verified::new(Principal::local("ann")), &Revocations::default());
        assert!(known.is_new_here());
        assert!(!known.clone().is_new_here(), "whoever holds a copy");
        for last in 1..ADDRESSES_MAX {
            let address = format!("10.0.0.{last}").parse();
            let here = address.map(|address| known.clone().seen_at(address));
            assert_eq!(here.as_ref().map(Identified::is_new_here), Ok(true), "{last}");
            assert_eq!(here.as_ref().map(Identified::is_new_here), Ok(false), "{last}");
        }
        let further = "10.0.1.1".parse().map(|address| known.seen_at(address).is_new_here());
        assert_eq!(further, Ok(false), "the table is full, and nothing is said of it with each call");
    }
}
