//! Calls that wait for a person's word: asked here, decided by an administrator, kept in the store.
//!
//! A word is for one call, named by the digest of its arguments, and is taken once: who waits takes it with them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use omni_store::{ApprovalRow, Page, Store, StoreError};
use omni_types::{Principal, hex, random};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Calls that may wait at a time, and of one caller.
const WAITING_MAX: usize = 1_024;
const WAITING_OF_ONE_MAX: usize = 32;
/// Bytes of arguments that are shown to who decides.
const SHOWN_BYTES_MAX: usize = 4_096;
/// Bytes of what they say.
const NOTE_BYTES_MAX: usize = 1_024;
/// Random bytes of an id.
const ID_BYTES: usize = 8;

/// A call that wants a person's word.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose call it is.
    pub principal: Principal,
    /// What is to be done, such as `tools/call`.
    pub action: String,
    /// At which server.
    pub server: String,
    /// With which tool, prompt or resource.
    pub name: String,
    /// JSON text of the arguments, for who decides.
    pub arguments: String,
    /// SHA-256 of the arguments as they would be sent.
    pub arguments_sha256: [u8; 32],
    /// The policy that asks for it.
    pub policy: String,
    /// Why it asks.
    pub reason: String,
    /// How long the call waits.
    pub wait: Duration,
}

/// How it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may run, once.
    Approved {
        /// Who said so.
        by: String,
    },
    /// It may not.
    Denied {
        /// Who said so.
        by: String,
        /// What they said.
        note: Option<String>,
    },
    /// Nobody said anything in time.
    Expired,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// Too many wait already.
    #[error("{0} calls wait for approval already, which is all that may; decide on some, or let them expire")]
    Full(usize),
    /// There is none of that id that waits here.
    #[error("no call waits for an approval `{0}` here; it was decided, has expired, or never was")]
    Unknown(String),
    /// It cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give")]
    NoRandomness,
}

/// Calls that wait for a person's word.
#[derive(Debug, Default)]
pub struct Approvals {
    store: OnceLock<Store>,
    attended: AtomicBool,
    waiting: Arc<Mutex<HashMap<Arc<str>, Waiting>>>,
}

#[derive(Debug)]
struct Waiting {
    row: ApprovalRow,
    principal: Principal,
    tell: oneshot::Sender<Verdict>,
}

/// A call's place among those that wait. Dropped, it waits no more.
#[derive(Debug)]
pub struct Pending {
    id: Arc<str>,
    until: Instant,
    verdict: oneshot::Receiver<Verdict>,
    place: Place,
}

#[derive(Debug)]
struct Place {
    id: Arc<str>,
    store: Option<Store>,
    waiting: Arc<Mutex<HashMap<Arc<str>, Waiting>>>,
}

impl Approvals {
    /// From now on what is asked and decided is kept in `store`; the first one named is it.
    pub fn keep_in(&self, store: Store) {
        let _the_first_counts = self.store.set(store);
    }

    /// From now on an administrator can see what waits, and decide.
    pub fn attend(&self) {
        self.attended.store(true, Ordering::Release);
    }

    /// Whether an administrator can see what waits.
    pub(crate) fn are_attended(&self) -> bool {
        self.attended.load(Ordering::Acquire)
    }

    /// Puts a call among those that wait.
    ///
    /// # Errors
    /// When too many do, or it cannot be kept: then the call must not run.
    pub async fn ask(&self, asked: Asked) -> Result<Pending, ApprovalError> {
        let id: Arc<str> = hex(&random::<ID_BYTES>().map_err(|_| ApprovalError::NoRandomness)?).into();
        let until = Instant::now() + asked.wait;
        let row = row(&id, &asked);
        let (tell, verdict) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let of_one = waiting.values().filter(|other| other.principal == asked.principal).count();
            if waiting.len() >= WAITING_MAX || of_one >= WAITING_OF_ONE_MAX {
                return Err(ApprovalError::Full(of_one.max(waiting.len().min(WAITING_MAX))));
            }
            waiting.insert(Arc::clone(&id), Waiting { row: row.clone(), principal: asked.principal, tell });
        }
        let place = Place { id: Arc::clone(&id), store: self.store.get().cloned(), waiting: Arc::clone(&self.waiting) };
        if let Some(store) = self.store.get() {
            store.add_approval(&row).await?;
        }
        Ok(Pending { id, until, verdict, place })
    }

    /// Those that wait, oldest first.
    #[must_use]
    pub fn waiting(&self) -> Vec<ApprovalRow> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<ApprovalRow> = waiting.values().map(|waiting| waiting.row.clone()).collect();
        rows.sort_by(|a, b| (a.asked_at, &a.id).cmp(&(b.asked_at, &b.id)));
        rows
    }

    /// What was asked for and decided before; where nothing is kept, nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn history(&self, state: Option<&str>, page: &Page) -> Result<Vec<ApprovalRow>, StoreError> {
        match self.store.get() {
            Some(store) if store.exists() => store.approvals(state, page).await,
            _ => Ok(Vec::new()),
        }
    }

    /// Decides on one that waits: the word is kept first and takes effect then.
    ///
    /// # Errors
    /// When it does not wait any more, or the word cannot be kept.
    pub async fn decide(&self, id: &str, verdict: Verdict) -> Result<ApprovalRow, ApprovalError> {
        let unknown = || ApprovalError::Unknown(id.to_owned());
        let mut row = {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.get(id).ok_or_else(unknown)?.row.clone()
        };
        let (state, by, note) = match &verdict {
            Verdict::Approved { by } => ("approved", Some(by.as_str()), None),
            Verdict::Denied { by, note } => ("denied", Some(by.as_str()), note.as_deref()),
            Verdict::Expired => ("expired", None, None),
        };
        let note = note.map(|note| cut(note, NOTE_BYTES_MAX));
        let now = unix_now();
        if let Some(store) = self.store.get()
            && !store.decide_approval(id, state, (by, note), now).await?
        {
            return Err(unknown());
        }
        let taken = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        row = ApprovalRow {
            state: state.to_owned(),
            decided_at: Some(now),
            decided_by: by.map(str::to_owned),
            note: note.map(str::to_owned),
            ..row
        };
        // Who waited may have gone in the meantime: then nothing runs, and it is not to be said that it will.
        taken.and_then(|waiting| waiting.tell.send(verdict).ok()).ok_or_else(unknown)?;
        Ok(row)
    }
}

impl Pending {
    /// By what it is called.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the word. It is taken with this: there is no second one.
    pub async fn verdict(mut self) -> Verdict {
        tokio::select! {
            biased;
            verdict = &mut self.verdict => verdict.unwrap_or(Verdict::Expired),
            () = tokio::time::sleep_until(self.until) => {
                self.place.leave("expired");
                // The word may have come at the last moment.
                self.verdict.try_recv().unwrap_or(Verdict::Expired)
            }
        }
    }
}

impl Place {
    fn leave(&self, state: &'static str) {
        let left = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        let (Some(_), Some(store)) = (left, self.store.clone()) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let id = Arc::clone(&self.id);
        runtime.spawn(async move {
            if let Err(error) = store.decide_approval(&id, state, (None, None), unix_now()).await {
                tracing::warn!(%error, approval = %id, state, "the end of an approval is not kept");
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave("withdrawn");
    }
}

fn row(id: &str, asked: &Asked) -> ApprovalRow {
    let now = unix_now();
    let wait = i64::try_from(asked.wait.as_secs()).unwrap_or(i64::MAX);
    ApprovalRow {
        id: id.to_owned(),
        state: "waiting".to_owned(),
        principal: asked.principal.to_string(),
        action: asked.action.clone(),
        server: asked.server.clone(),
        name: asked.name.clone(),
        arguments: cut(&asked.arguments, SHOWN_BYTES_MAX).to_owned(),
        arguments_digest: hex(&asked.arguments_sha256),
        policy: asked.policy.clone(),
        reason: asked.reason.clone(),
        asked_at: now,
        expires_at: now.saturating_add(wait),
        decided_at: None,
        decided_by: None,
        note: None,
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

pub(crate) fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
