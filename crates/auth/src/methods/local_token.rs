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
    by_sha256: HashMap<String, LocalToken>,
}

impl LocalTokenMethod {
    /// Holders of `tokens` are `user`.
    pub(crate) fn new(tokens: LocalTokens, user: Principal, revocations: Revocations) -> Self {
        let method = Self { tokens, user, revocations, known: Mutex::default() };
        method.look();
        method
    }

    /// Reads the file again if it has changed. What is not in it any more ends at once, also where it is kept.
    fn look(&self) {
        let stamp = self.tokens.stamp();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.stamp == stamp {
            return;
        }
        let read = self.tokens.read().unwrap_or_else(|error| {
            tracing::warn!(%error, "tokens of this machine's clients cannot be read: none is taken");
            Vec::new()
        });
        let now: HashMap<_, _> = read.into_iter().map(|token| (token.sha256.clone(), token)).collect();
        for gone in known.by_sha256.keys().filter(|sha256| !now.contains_key(*sha256)) {
            if let Err(error) = self.revocations.add(Revocation::Token { issuer: None, id: gone.clone() }) {
                tracing::error!(%error, "a token of this machine's clients ends only when the hub is started again");
            }
        }
        *known = Known { stamp, by_sha256: now };
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
