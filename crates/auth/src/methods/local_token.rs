//! Tokens that `omni connect` wrote for a client on this machine: whoever holds one is the user that runs the hub.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use omni_types::{Identity, Principal, PrincipalKind};

use crate::identified::Verified;
use crate::local_tokens::{LOCAL_TOKEN_PREFIX, LocalToken, LocalTokens, Stamp, hex};
use crate::methods::{Method, Verifying};
use crate::refusal::Refusal;
use crate::revocations::{Revocation, Revocations};

/// For how long a file without a byte has to stay so: a program that writes it anew may empty it first.
const EMPTY_FOR: Duration = Duration::from_secs(1);

/// The tokens of one data directory, as they were when it was last looked at.
#[derive(Debug)]
pub(crate) struct LocalTokenMethod {
    tokens: LocalTokens,
    user: Principal,
    revocations: Revocations,
    known: KnownTokens,
}

/// What is known of the tokens of one data directory. Clones are handles of the same: a successor goes on where the one before
/// stood, also when it cannot read the file.
pub(crate) type KnownTokens = Arc<Mutex<Known>>;

/// What the file said when it could be read last.
#[derive(Debug, Default)]
pub(crate) struct Known {
    stamp: Stamp,
    /// Why the file could not be read when it was looked at last.
    failed: Option<String>,
    /// Since when it has had no byte.
    empty_since: Option<Instant>,
    by_sha256: HashMap<String, LocalToken>,
}

impl LocalTokenMethod {
    /// Holders of `tokens` are `user`.
    pub(crate) fn new(tokens: LocalTokens, user: Principal, revocations: Revocations, known: KnownTokens) -> Self {
        let method = Self { tokens, user, revocations, known };
        method.look(Instant::now());
        method
    }

    /// Reads the file again if it has changed. What is not in it any more ends at once, also where it is kept; so does everything
    /// where nothing stands in it. Where it cannot be read, what it said last stays in force, and it is read again with the
    /// next look.
    fn look(&self, now: Instant) {
        let stamp = self.tokens.stamp();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.stamp == stamp {
            return;
        }
        if is_empty(stamp) {
            let since = *known.empty_since.get_or_insert(now);
            if now.saturating_duration_since(since) < EMPTY_FOR {
                return;
            }
        } else {
            known.empty_since = None;
        }
        let read = match self.tokens.read() {
            Ok(read) => read,
            Err(error) => {
                let why = error.to_string();
                if known.failed.as_ref() != Some(&why) {
                    tracing::warn!(
                        why,
                        "tokens of this machine's clients cannot be read: those that were are in force"
                    );
                    known.failed = Some(why);
                }
                return;
            }
        };
        let now: HashMap<_, _> = read.into_iter().map(|token| (token.sha256.clone(), token)).collect();
        for gone in known.by_sha256.keys().filter(|sha256| !now.contains_key(*sha256)) {
            if let Err(error) = self.revocations.add(Revocation::Token { issuer: None, id: gone.clone() }) {
                tracing::error!(%error, "a token of this machine's clients ends only when the hub is started again");
            }
        }
        *known = Known { stamp, failed: None, empty_since: None, by_sha256: now };
    }
}

/// Whether the file is there and has no byte.
fn is_empty(stamp: Stamp) -> bool {
    stamp.is_some_and(|(_, length, _)| length == 0)
}

impl Method for LocalTokenMethod {
    fn takes(&self, token: &str) -> bool {
        token.starts_with(LOCAL_TOKEN_PREFIX)
    }

    fn verify<'a>(&'a self, token: &'a str) -> Verifying<'a> {
        Box::pin(async move {
            // It may have been made a moment ago.
            self.look(Instant::now());
            let sha256 = hex(token);
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let found = known.by_sha256.get(&sha256).ok_or_else(|| {
                Refusal::invalid(
                    "this token of `omni connect` is not in force, or not any more: run `omni connect` for this client again",
                )
            })?;
            let principal = Principal::build(Identity {
                client: Some(found.client.clone()),
                ..Identity::new(PrincipalKind::LocalUser, self.user.id())
            });
            Ok(Verified { id: Some(sha256), issued_at: Some(found.issued_at), ..Verified::new(principal) })
        })
    }

    fn tick(&self) {
        self.look(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::path::PathBuf;
    use std::time::Instant;

    use omni_types::Principal;
    use tempfile::TempDir;

    use super::{EMPTY_FOR, KnownTokens, LocalTokenMethod};
    use crate::identified::Identified;
    use crate::local_tokens::LocalTokens;
    use crate::methods::Method as _;
    use crate::revocations::Revocations;

    struct World {
        folder: TempDir,
        tokens: LocalTokens,
        revocations: Revocations,
        known: KnownTokens,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let tokens = LocalTokens::of(folder.path());
            Self { tokens, folder, revocations: Revocations::default(), known: KnownTokens::default() }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("local-tokens.json")
        }

        fn method(&self) -> LocalTokenMethod {
            let (user, revocations) = (Principal::local("ann"), self.revocations.clone());
            LocalTokenMethod::new(self.tokens.clone(), user, revocations, self.known.clone())
        }

        async fn lets_in(&self, method: &LocalTokenMethod, token: &str) -> bool {
            let verified = method.verify(token).await;
            verified.is_ok_and(|verified| Identified::new(verified, &self.revocations).stands_at(1).is_ok())
        }
    }

    /// AUTH-4: what cannot be read is no word that everybody's token has ended.
    #[tokio::test]
    async fn auth_4_a_file_that_cannot_be_read_ends_no_token_and_is_read_again() {
        let world = World::new();
        let (kept, ended) = (world.tokens.issue("claude", "f").unwrap(), world.tokens.issue("cursor", "f").unwrap());
        let method = world.method();
        let whole = fs::read(world.file()).unwrap();
        for broken in [&whole[..whole.len() / 2], b"{", &whole[1..]] {
            fs::write(world.file(), broken).unwrap();
            method.tick();
            assert!(world.lets_in(&method, &kept).await && world.lets_in(&method, &ended).await);
            // Nor with the settings of logins that come then.
            assert!(world.lets_in(&world.method(), &kept).await);
        }
        fs::write(world.file(), &whole).unwrap();
        method.tick();
        world.tokens.revoke("cursor", "f").unwrap();
        assert!(world.lets_in(&method, &kept).await);
        assert!(!world.lets_in(&method, &ended).await, "the file is followed again");
        // One that was never read lets nobody in.
        fs::write(world.file(), "{").unwrap();
        let blind = World { known: KnownTokens::default(), ..world };
        let method = blind.method();
        assert!(!blind.lets_in(&method, &kept).await);
        fs::write(blind.file(), &whole).unwrap();
        assert!(blind.lets_in(&method, &kept).await);
    }

    /// AUTH-4: who empties the file, or takes it away, means what that says.
    #[tokio::test]
    async fn auth_4_a_file_in_which_nothing_stands_ends_all_tokens() {
        for written in [Some(""), Some("{}"), Some(r#"{"tokens":[]}"#), None] {
            let world = World::new();
            let token = world.tokens.issue("claude", "f").unwrap();
            let method = world.method();
            assert!(world.lets_in(&method, &token).await);
            match written {
                Some(text) => fs::write(world.file(), text).unwrap(),
                None => fs::remove_file(world.file()).unwrap(),
            }
            let seen = Instant::now();
            method.look(seen);
            // Without a byte it may be on its way to be written.
            assert!(written != Some("") || world.lets_in(&method, &token).await);
            method.look(seen + EMPTY_FOR);
            assert!(!world.lets_in(&method, &token).await, "{written:?}");
        }
    }
}
