//! Resolving references: granted or not, from what is kept or from the providers, and written down either way.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_audit::{Audit, Event, EventKind, FieldName, Outcome, Who};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::chain::Chain;
use crate::counts::{Counts, ProviderCounts};
use crate::error::SecretError;
use crate::field::field_of;
use crate::held::Held;
use crate::local::Stamp;
use crate::providers::Around;
use crate::redact::Redactor;
use crate::reference::Reference;
use crate::requester::Requester;
use crate::settings::{ProviderName, SecretsSettings};
use crate::template::{Part, Template};

/// Values kept at a time.
const KEPT_MAX: usize = 4_096;

/// One value's place: who comes while it is being asked for waits for the same answer.
type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

#[derive(Debug)]
struct Kept {
    held: Held,
    provider: ProviderName,
    stamp: Stamp,
    since: Instant,
}

/// Resolves references for servers and profiles.
#[derive(Debug)]
pub struct Resolver {
    settings: SecretsSettings,
    chain: Chain,
    audit: Audit,
    slots: Mutex<HashMap<Reference, Slot>>,
    counts: Arc<Counts>,
    redactor: Arc<Redactor>,
}

impl Resolver {
    /// A resolver of one configuration. What it gives out is made known to `redactor`.
    #[must_use]
    pub fn new(settings: &SecretsSettings, around: &Around, audit: Audit, redactor: Arc<Redactor>) -> Self {
        Self {
            settings: settings.clone(),
            chain: Chain::build(settings, around),
            audit,
            slots: Mutex::default(),
            counts: Arc::default(),
            redactor,
        }
    }

    /// What was counted of each provider.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<ProviderName, ProviderCounts> {
        self.counts.now()
    }

    /// What masks the values that were given out.
    #[must_use]
    pub const fn redactor(&self) -> &Arc<Redactor> {
        &self.redactor
    }

    /// For how long a value is kept.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        Duration::from_secs(self.settings.ttl_s)
    }

    /// The value of `reference`, for `requester`.
    ///
    /// # Errors
    /// When it is not granted, is not there, or cannot be had now.
    pub async fn resolve(&self, reference: &Reference, requester: &Requester) -> Result<Held, SecretError> {
        if let Some(why) = self.not_granted(reference, requester) {
            let (reference_text, requester_text) = (reference.to_string(), requester.to_string());
            let error = SecretError::NotGranted { reference: reference_text, requester: requester_text, why };
            self.note(reference, requester, "secrets/resolve", Err(&error));
            return Err(error);
        }
        let held = self.whole(reference, Some(requester)).await?;
        let value = match &reference.field {
            None => held,
            Some(field) => match field_of(held.expose(), field) {
                Ok(value) => Held::wiped(value),
                Err(why) => {
                    let error = SecretError::Unusable { reference: reference.to_string(), why: why.to_owned() };
                    self.note(reference, requester, "secrets/resolve", Err(&error));
                    return Err(error);
                }
            },
        };
        self.redactor.learn(&reference.path, &value);
        Ok(value)
    }

    /// The text of `template` with its values put in; what is put in is not read for references again.
    ///
    /// # Errors
    /// The first value that cannot be had. A default stands in for one that is not there, and for no other.
    pub async fn fill(&self, template: &Template, requester: &Requester) -> Result<Held, SecretError> {
        let mut text = Zeroizing::new(String::new());
        for part in template.parts() {
            match part {
                Part::Text(plain) => push(&mut text, plain),
                Part::Value { reference, default, .. } => match (self.resolve(reference, requester).await, default) {
                    (Ok(held), _) => push(&mut text, held.expose()),
                    (Err(SecretError::Missing { .. }), Some(default)) => push(&mut text, default),
                    (Err(error), _) => return Err(error),
                },
            }
        }
        Ok(Held::wiped(text))
    }

    /// Whether `template` would be filled with something else than `held` by now. Nothing is written down: nobody is given it.
    ///
    /// # Errors
    /// When a value is not granted, or cannot be had now.
    pub async fn is_other(&self, template: &Template, held: &Held, requester: &Requester) -> Result<bool, SecretError> {
        let mut text = Zeroizing::new(String::new());
        for part in template.parts() {
            match part {
                Part::Text(plain) => push(&mut text, plain),
                Part::Value { reference, .. } if self.not_granted(reference, requester).is_some() => {
                    let (reference, requester) = (reference.to_string(), requester.to_string());
                    return Err(SecretError::NotGranted { reference, requester, why: String::new() });
                }
                Part::Value { reference, default, .. } => match (self.whole(reference, None).await, default) {
                    (Ok(whole), _) => match &reference.field {
                        None => push(&mut text, whole.expose()),
                        Some(field) => match field_of(whole.expose(), field) {
                            Ok(value) => push(&mut text, &value),
                            Err(_) => return Ok(true),
                        },
                    },
                    (Err(SecretError::Missing { .. }), Some(default)) => push(&mut text, default),
                    (Err(error), _) => return Err(error),
                },
            }
        }
        Ok(text.as_str() != held.expose())
    }

    /// Lets go of what was kept for too long.
    pub fn sweep(&self) {
        let ttl = self.ttl();
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, slot| {
            // One that is being asked for is in use.
            let Ok(kept) = slot.try_lock() else { return true };
            kept.as_ref().is_some_and(|kept| kept.since.elapsed() < ttl)
        });
    }

    /// The whole value behind a reference, from what is kept or from the providers.
    async fn whole(&self, reference: &Reference, requester: Option<&Requester>) -> Result<Held, SecretError> {
        let place = Reference { field: None, ..reference.clone() };
        let slot = self.slot(&place);
        let mut kept = slot.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| self.is_fresh(kept, &place)) {
            if let Some(requester) = requester {
                self.counts.hit(kept.provider);
                self.note(reference, requester, "secrets/hit", Ok((kept.provider, None)));
            }
            return Ok(kept.held.clone());
        }
        *kept = None;
        match self.chain.value(&place, &self.counts).await {
            Ok(found) => {
                if let Some(requester) = requester {
                    let action = if found.fell_back.is_some() { "secrets/fall-back" } else { "secrets/resolve" };
                    self.note(reference, requester, action, Ok((found.provider, found.fell_back.as_deref())));
                }
                let held = found.held.clone();
                let (provider, stamp) = (found.provider, found.stamp);
                *kept = Some(Kept { held: found.held, provider, stamp, since: Instant::now() });
                Ok(held)
            }
            Err(error) => {
                if let Some(requester) = requester {
                    self.note(reference, requester, "secrets/resolve", Err(&error));
                }
                Err(error)
            }
        }
    }

    fn slot(&self, place: &Reference) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT_MAX && !slots.contains_key(place) {
            // Names are written by the operator, so this many are a fault; one that nobody waits for makes room.
            let idle = slots.iter().find(|(_, slot)| Arc::strong_count(slot) == 1).map(|(place, _)| place.clone());
            if let Some(idle) = idle {
                slots.remove(&idle);
            }
        }
        Arc::clone(slots.entry(place.clone()).or_default())
    }

    fn is_fresh(&self, kept: &Kept, place: &Reference) -> bool {
        kept.since.elapsed() < self.ttl() && kept.stamp == self.chain.stamp(kept.provider, &place.path)
    }

    /// Why `requester` may not have it; `None` where it may.
    fn not_granted(&self, reference: &Reference, requester: &Requester) -> Option<String> {
        let path = &reference.path;
        match requester {
            Requester::Server(server) => {
                let allowed = self.settings.names.get(path).and_then(|name| name.servers.as_ref())?;
                let named = allowed.iter().any(|name| name == server.as_str());
                (!named).then(|| format!("`secrets.names.{path}.servers` does not name it"))
            }
            // A profile is text that others wrote.
            Requester::Profile(_) => Some("profiles are given no secrets".to_owned()),
        }
    }

    fn note(
        &self,
        reference: &Reference,
        requester: &Requester,
        action: &'static str,
        done: Result<(ProviderName, Option<&str>), &SecretError>,
    ) {
        let outcome = match done {
            Ok(_) => Outcome::Success,
            Err(SecretError::NotGranted { .. }) => Outcome::Denied,
            Err(_) => Outcome::Failed,
        };
        let mut event = Event::new(EventKind::Secret, action, outcome);
        match requester {
            Requester::Server(server) => event = event.on(Some(server), reference.path.clone()),
            Requester::Profile(profile) => {
                event = event.on(None, reference.path.clone()).fact(FieldName::Profile, profile.as_str());
            }
        }
        event = event.fact(FieldName::Secret, reference.to_string());
        match done {
            Ok((provider, fell_back)) => {
                event = event.fact(FieldName::Provider, provider.as_str());
                if let Some(why) = fell_back {
                    event = event.because(why);
                }
            }
            Err(error) => event = event.fact(FieldName::Error, error.reason()).because(error.to_string()),
        }
        self.audit.record(Who::System, event);
    }
}

/// Puts `more` behind `text` without leaving a copy in memory that is let go of.
fn push(text: &mut Zeroizing<String>, more: &str) {
    if text.capacity() - text.len() < more.len() {
        let mut grown = Zeroizing::new(String::with_capacity((text.len() + more.len()) * 2));
        grown.push_str(text);
        *text = grown;
    }
    text.push_str(more);
}
