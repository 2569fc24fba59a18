//! Tokens that were checked, by the SHA-256 of their text (row AUTH-4): bounded, and none kept past its end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use crate::identified::{Identified, Verified};
use crate::revocations::Revocations;

/// Bytes of a digest.
const DIGEST_BYTES: usize = 32;
/// Parts that are locked one by one.
const SHARDS: usize = 16;
/// Tokens of one part.
const SHARD_ENTRIES_MAX: usize = 1_024;

/// The digest of a token. Tokens themselves are not kept.
pub(crate) type Digest = [u8; DIGEST_BYTES];

/// The SHA-256 of `text`.
pub(crate) fn digest_of(text: &str) -> Digest {
    let mut out = [0; DIGEST_BYTES];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

#[derive(Debug)]
struct Kept {
    identified: Identified,
    /// Seconds since 1970 at which it has to be looked at anew.
    until: u64,
}

type Shard = HashMap<Digest, Kept, foldhash::fast::RandomState>;

/// Tokens that were checked.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    shards: [Mutex<Shard>; SHARDS],
}

impl TokenCache {
    fn shard(&self, key: &Digest) -> std::sync::MutexGuard<'_, Shard> {
        self.shards[usize::from(key[0]) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who presented this token, if it was checked and has not ended.
    pub(crate) fn get(&self, key: &Digest, now: u64) -> Option<Identified> {
        self.shard(key).get(key).filter(|kept| now < kept.until).map(|kept| kept.identified.clone())
    }

    /// Keeps a token that was checked.
    pub(crate) fn put(&self, key: Digest, identified: &Identified, now: u64) {
        let verified = identified.verified();
        let keep = verified.keep_s.map_or(u64::MAX, |seconds| now.saturating_add(seconds));
        let until = verified.expires_at.unwrap_or(u64::MAX).min(keep);
        if until <= now {
            return;
        }
        let mut shard = self.shard(&key);
        if shard.len() >= SHARD_ENTRIES_MAX {
            shard.retain(|_, kept| now < kept.until);
        }
        if shard.len() >= SHARD_ENTRIES_MAX {
            // Whichever: a token that is used again is checked again, which costs its sender some microseconds.
            let any = shard.keys().next().copied();
            any.and_then(|key| shard.remove(&key));
        }
        shard.insert(key, Kept { identified: identified.clone(), until });
    }

    /// The same tokens as far as `keep` says, with their ends, each to be looked up among `revocations` anew.
    pub(crate) fn carried(&self, revocations: &Revocations, keep: impl Fn(&Verified) -> bool) -> Self {
        let carried = Self::default();
        for (shard, to) in self.shards.iter().zip(&carried.shards) {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, kept) in shard.iter().filter(|(_, kept)| keep(kept.identified.verified())) {
                let identified = Identified::new(kept.identified.verified().clone(), revocations);
                to.insert(*key, Kept { identified, until: kept.until });
            }
        }
        carried
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use omni_types::Principal;

    use super::{SHARD_ENTRIES_MAX, SHARDS, TokenCache, digest_of};
    use crate::identified::{Identified, Verified};
    use crate::revocations::Revocations;

    fn until(end: Option<u64>, keep_s: Option<u64>) -> Identified {
        let verified = Verified { expires_at: end, keep_s, leeway: 60, ..Verified::new(Principal::local("ann")) };
        Identified::new(verified, &Revocations::default())
    }

    #[test]
    fn auth_4_nothing_is_kept_past_its_end_whatever_the_clocks_may_differ() {
        let cache = TokenCache::default();
        let key = digest_of("token");
        cache.put(key, &until(Some(100), None), 50);
        assert!(cache.get(&key, 99).is_some() && cache.get(&key, 100).is_none());
        assert!(cache.get(&digest_of("other"), 50).is_none());
        cache.put(key, &until(Some(100), Some(10)), 50);
        assert!(cache.get(&key, 59).is_some() && cache.get(&key, 60).is_none());
        let other = digest_of("ended");
        cache.put(other, &until(Some(50), None), 50);
        assert!(cache.get(&other, 50).is_none());
    }

    /// AUTH-4: with other logins, what was checked by what stays the same stays, to its end and no longer.
    #[test]
    fn auth_4_what_is_carried_on_keeps_its_end_and_is_asked_whether_it_stands() {
        let cache = TokenCache::default();
        let (kept, left) = (digest_of("kept"), digest_of("left"));
        cache.put(kept, &until(Some(100), Some(10)), 50);
        cache.put(left, &until(Some(200), None), 50);
        let revocations = Revocations::default();
        let carried = cache.carried(&revocations, |verified| verified.expires_at == Some(100));
        assert!(carried.get(&left, 50).is_none() && carried.get(&kept, 60).is_none());
        let identified = carried.get(&kept, 59);
        assert!(identified.as_ref().is_some_and(|one| one.stands_at(59).is_ok()));
        revocations.next().put_in_force();
        assert!(identified.is_some_and(|one| one.stands_at(59).is_err()), "it goes with the logins that come");
    }

    #[test]
    fn auth_4_it_is_bounded() {
        let cache = TokenCache::default();
        for number in 0..SHARDS * SHARD_ENTRIES_MAX * 2 {
            cache.put(digest_of(&number.to_string()), &until(None, None), 1);
        }
        assert!(cache.len() <= SHARDS * SHARD_ENTRIES_MAX, "{}", cache.len());
    }
}
