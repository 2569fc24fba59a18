//! One authorization server's keys: fetched once for all who wait, again when a key is missing or they are old, and kept for
//! a bounded time when it is down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_egress::Fetcher;
use tokio::time::Instant;

use crate::jwks::discovery::{FETCH_TIMEOUT, Metadata, discover, may_be_asked};
use crate::jwks::set::{KeySet, SET_BYTES_MAX};
use crate::refusal::Refusal;
use crate::token::{Algorithm, Key};

/// After a fetch that failed, before the next, while there are no keys at all.
const FAILED_PAUSE: Duration = Duration::from_secs(2);

/// For how long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// After which keys are fetched anew, beside the requests.
    pub(crate) refresh: Duration,
    /// After which keys are not used any more, when the provider is down.
    pub(crate) stale_max: Duration,
    /// Between two fetches for keys that are missing.
    pub(crate) floor: Duration,
}

/// One authorization server.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) issuer: String,
    keys_url: Option<String>,
    keeping: Keeping,
    state: Mutex<State>,
    /// Held by the one that fetches; the others wait for it.
    turn: tokio::sync::Mutex<()>,
    refreshing: AtomicBool,
}

#[derive(Debug, Clone, Default)]
struct State {
    keys: Option<(Arc<KeySet>, Instant)>,
    metadata: Option<Metadata>,
    tried_at: Option<Instant>,
    failed: Option<String>,
}

impl Provider {
    /// The server `issuer`, whose keys are at `keys_url` where that is known.
    pub(crate) fn new(issuer: &str, keys_url: Option<String>, keeping: Keeping) -> Self {
        Self {
            issuer: issuer.to_owned(),
            keys_url,
            keeping,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            refreshing: AtomicBool::new(false),
        }
    }

    /// Whether it is the same server, whose keys are kept as long.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.issuer, &self.keys_url, self.keeping) == (&other.issuer, &other.keys_url, other.keeping)
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key that verifies tokens of `algorithm` that name `id`.
    pub(crate) async fn key(self: &Arc<Self>, id: Option<&str>, algorithm: Algorithm) -> Result<Key, Refusal> {
        let state = self.state();
        let usable = state.keys.as_ref().filter(|(_, at)| at.elapsed() < self.keeping.stale_max);
        let found = usable.and_then(|(keys, _)| keys.find(id, algorithm).cloned());
        if let (Some(key), Some((_, at))) = (found, usable) {
            if at.elapsed() >= self.keeping.refresh {
                self.refresh_beside();
            }
            return Ok(key);
        }
        let pause = if usable.is_some() { self.keeping.floor } else { FAILED_PAUSE };
        if state.tried_at.is_none_or(|at| at.elapsed() >= pause) {
            self.refresh(state.tried_at).await;
        }
        let state = self.state();
        let usable = state.keys.as_ref().filter(|(_, at)| at.elapsed() < self.keeping.stale_max);
        let Some((keys, _)) = usable else {
            let why = state.failed.unwrap_or_else(|| "its keys are too old".to_owned());
            return Err(Refusal::unavailable(format!("{}: {why}", self.issuer)));
        };
        let unknown = || Refusal::invalid("the token is not signed by a key of its issuer");
        keys.find(id, algorithm).cloned().ok_or_else(unknown)
    }

    /// Where tokens are introspected, as the server says itself.
    pub(crate) async fn introspection_url(&self) -> Result<Option<String>, String> {
        Ok(self.metadata().await?.introspection_url)
    }

    async fn metadata(&self) -> Result<Metadata, String> {
        if let Some(metadata) = self.state().metadata {
            return Ok(metadata);
        }
        let metadata = discover(&self.issuer).await?;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).metadata = Some(metadata.clone());
        Ok(metadata)
    }

    /// Fetches the keys while requests go on with those that are there.
    fn refresh_beside(self: &Arc<Self>) {
        let tried_at = self.state().tried_at;
        if tried_at.is_some_and(|at| at.elapsed() < self.keeping.floor) || self.refreshing.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let provider = Arc::clone(self);
        tokio::spawn(async move {
            provider.refresh(tried_at).await;
            provider.refreshing.store(false, Ordering::Release);
        });
    }

    /// Fetches the keys, unless somebody else has since `seen`.
    async fn refresh(&self, seen: Option<Instant>) {
        let _turn = self.turn.lock().await;
        if self.state().tried_at != seen {
            return;
        }
        let fetched = self.fetch().await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tried_at = Some(Instant::now());
        match fetched {
            Ok(keys) => {
                state.keys = Some((Arc::new(keys), Instant::now()));
                state.failed = None;
            }
            Err(why) => {
                tracing::warn!(issuer = %self.issuer, why, "the keys of an authorization server cannot be fetched");
                // It may have moved them.
                state.metadata = None;
                state.failed = Some(why);
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let url = match &self.keys_url {
            Some(url) => url.clone(),
            None => self.metadata().await?.keys_url.ok_or("its metadata names no `jwks_uri`")?,
        };
        if !may_be_asked(&url, &self.issuer) {
            return Err(format!("{url} is no https:// address"));
        }
        let fetcher = Fetcher::new(&url, SET_BYTES_MAX, FETCH_TIMEOUT).map_err(|e| e.to_string())?;
        let fetched = fetcher.get().await.map_err(|e| format!("{url}: {e}"))?;
        if fetched.status != http::StatusCode::OK {
            return Err(format!("{url}: status {}", fetched.status.as_u16()));
        }
        KeySet::parse(&fetched.body).map_err(|e| format!("{url}: {e}"))
    }
}
