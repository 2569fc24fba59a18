//! Tokens that `omni connect` wrote for a client on this machine: whoever holds one is the user that runs the hub.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use omni_types::{Identity, Principal, PrincipalKind};

use crate::identified::Verified;
use crate::local_tokens::{LOCAL_TOKEN_PREFIX, LocalToken, LocalTokens, Stamp, hex};
use crate::methods::{Method, Verifying};
use crate::refusal::Refusal;
use crate::revocations::{Revocation, Revocations};

/// The tokens of one data directory, as they were when it was last looked at.
#[derive(Debug)]
pub(crate) struct LocalTokenMethod {
    tokens: LocalTokens,
    user: Principal,
    revocations: Revocations,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    stamp: Stamp,
    /// Why the file could not be read when it was looked at last.
    failed: Option<String>,
    by_sha256: HashMap<String, LocalToken>,
}

impl LocalTokenMethod {
    /// Holders of `tokens` are `user`.
    pub(crate) fn new(tokens: LocalTokens, user: Principal, revocations: Revocations) -> Self {
        let method = Self { tokens, user, revocations, known: Mutex::default() };
        method.look();
        method
    }

    /// Reads the file again if it has changed. What is not in it any more ends at once, also where it is kept. Where it cannot
    /// be read, what it said last stays in force, and it is read again with the next look.
    fn look(&self) {
        let stamp = self.tokens.stamp();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.stamp == stamp {
            return;
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
        *known = Known { stamp, failed: None, by_sha256: now };
    }
}

impl Method for LocalTokenMethod {
    fn takes(&self, token: &str) -> bool {
        token.starts_with(LOCAL_TOKEN_PREFIX)
    }

    fn verify<'a>(&'a self, token: &'a str) -> Verifying<'a> {
        Box::pin(async move {
            // It may have been made a moment ago.
            self.look();
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
        self.look();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use omni_types::Principal;

    use super::LocalTokenMethod;
    use crate::identified::{Identified, Verified};
    use crate::local_tokens::LocalTokens;
    use crate::methods::Method as _;
    use crate::refusal::Refusal;
    use crate::revocations::Revocations;

    /// AUTH-4: what cannot be read is no word that everybody's token has ended.
    #[tokio::test]
    async fn auth_4_a_file_that_cannot_be_read_ends_no_token_and_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = LocalTokens::of(folder.path());
        let (kept, ended) = (tokens.issue("claude", "f").unwrap(), tokens.issue("cursor", "f").unwrap());
        let revocations = Revocations::default();
        let method = LocalTokenMethod::new(tokens.clone(), Principal::local("ann"), revocations.clone());
        let verified = async |token: &str| -> Result<Verified, Refusal> {
            let verified = method.verify(token).await?;
            Identified::new(verified.clone(), &revocations).stands_at(1).map(|()| verified)
        };
        let path = folder.path().join("local-tokens.json");
        let whole = fs::read(&path).unwrap();
        for broken in [&whole[..whole.len() / 2], b"{}", b""] {
            fs::write(&path, broken).unwrap();
            method.tick();
            assert!(verified(&kept).await.is_ok() && verified(&ended).await.is_ok());
        }
        fs::write(&path, &whole).unwrap();
        method.tick();
        tokens.revoke("cursor", "f").unwrap();
        assert!(verified(&kept).await.is_ok());
        assert!(verified(&ended).await.is_err(), "the file is followed again");
        // One that was never read lets nobody in.
        fs::write(&path, "{").unwrap();
        let blind = LocalTokenMethod::new(tokens, Principal::local("ann"), Revocations::default());
        assert!(blind.verify(&kept).await.is_err());
        fs::write(&path, &whole).unwrap();
        assert!(blind.verify(&kept).await.is_ok());
    }
}
