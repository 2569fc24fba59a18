//! Resolving references: granted or not, from what is kept or from the providers, and written down either way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use omni_audit::{Audit, Event, EventKind, FieldName, Outcome, Who};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::chain::Chain;
use crate::counts::{Counts, ProviderCounts};
use crate::error::SecretError;
use crate::field::field_of;
use crate::grants;
use crate::held::Held;
use crate::judge::Judge;
use crate::providers::Around;
use crate::redact::Redactor;
use crate::reference::Reference;
use crate::requester::Requester;
use crate::settings::{ProviderName, SecretsSettings};
use crate::slot::{Kept, Last, Slots};
use crate::template::{Part, Template};

/// Resolves references for servers and profiles.
#[derive(Debug)]
pub struct Resolver {
    settings: SecretsSettings,
    chain: Chain,
    audit: Audit,
    slots: Slots,
    counts: Arc<Counts>,
    redactor: Arc<Redactor>,
    judge: Option<Arc<dyn Judge>>,
}

impl Resolver {
    /// A resolver of one configuration. What it gives out is made known to `redactor`.
    #[must_use]
    pub fn new(settings: &SecretsSettings, around: &Around, audit: Audit, redactor: Arc<Redactor>) -> Self {
        Self {
            settings: settings.clone(),
            chain: Chain::build(settings, around, &redactor),
            audit,
            slots: Slots::default(),
            counts: Arc::default(),
            redactor,
            judge: None,
        }
    }

    /// The same, where `judge` decides beside the grants.
    #[must_use]
    pub fn judged_by(self, judge: Arc<dyn Judge>) -> Self {
        Self { judge: Some(judge), ..self }
    }

    /// Gives back what providers made for this hub alone: credentials of engines that make them, and the hub's own logins.
    pub async fn close(&self) {
        self.chain.close().await;
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

    /// Whether `requester` may have what `reference` stands for: what the operator granted, and nothing of the value.
    ///
    /// # Errors
    /// [`SecretError::NotGranted`], with what would have to be written where.
    pub fn granted(&self, reference: &Reference, requester: &Requester) -> Result<(), SecretError> {
        let grants = grants::fault(&self.settings, &self.chain, reference, requester);
        let judged = || {
            let judge = self.judge.as_ref()?;
            self.chain.kept_as(reference).iter().find_map(|name| judge.refusal(name, requester))
        };
        let Some(why) = grants.or_else(judged) else { return Ok(()) };
        let (reference, requester) = (reference.to_string(), requester.to_string());
        Err(SecretError::NotGranted { reference, requester, why })
    }

    /// The value of `reference`, for `requester`.
    ///
    /// # Errors
    /// When it is not granted, is not there, cannot be had now, or cannot be masked.
    pub async fn resolve(&self, reference: &Reference, requester: &Requester) -> Result<Held, SecretError> {
        let refused = |error: SecretError| {
            self.note(reference, requester, "secrets/resolve", Err(&error));
            error
        };
        self.granted(reference, requester).map_err(refused)?;
        let held = self.whole(reference, Some(requester)).await?;
        let unusable = |why: String| refused(SecretError::Unusable { reference: reference.to_string(), why });
        let value = match &reference.field {
            None => held,
            Some(field) => Held::wiped(field_of(held.expose(), field).map_err(|why| unusable(why.to_owned()))?),
        };
        // What could not be masked is given to nobody.
        self.redactor.learn(&reference.path, &value).map_err(unusable)?;
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
                Part::Value { reference, default, .. } => match (self.part(reference, requester).await, default) {
                    (Ok(value), _) => push(&mut text, &value),
                    (Err(SecretError::Missing { .. }), Some(default)) => push(&mut text, default),
                    (Err(error), _) => return Err(error),
                },
            }
        }
        Ok(text.as_str() != held.expose())
    }

    /// What would be put in for `reference` now.
    async fn part(&self, reference: &Reference, requester: &Requester) -> Result<Zeroizing<String>, SecretError> {
        self.granted(reference, requester)?;
        let whole = self.whole(reference, None).await?;
        match &reference.field {
            None => Ok(Zeroizing::new(whole.expose().to_owned())),
            Some(field) => field_of(whole.expose(), field)
                .map_err(|why| SecretError::Unusable { reference: reference.to_string(), why: why.to_owned() }),
        }
    }

    /// Lets go of what was kept for too long.
    pub fn sweep(&self) {
        self.slots.sweep(self.ttl());
    }

    /// The whole value behind a reference, from what is kept or from the providers.
    async fn whole(&self, reference: &Reference, requester: Option<&Requester>) -> Result<Held, SecretError> {
        let place = Reference { field: None, ..reference.clone() };
        let (came, slot) = (Instant::now(), self.slots.of(&place));
        let mut last = slot.lock().await;
        if let Last::Value(kept) = &*last
            && self.is_fresh(kept, &place).await
        {
            if let Some(requester) = requester {
                self.counts.hit(kept.provider);
                self.note(reference, requester, "secrets/hit", Ok((kept.provider, None)));
            }
            return Ok(kept.held.clone());
        }
        let asked = match last.awaited(came, requester.is_none()) {
            Some(error) => Err(error.clone()),
            None => {
                *last = Last::Nothing;
                self.chain.value(&place, &self.counts).await
            }
        };
        match asked {
            Ok(found) => {
                if let Some(requester) = requester {
                    let action = if found.fell_back.is_some() { "secrets/fall-back" } else { "secrets/resolve" };
                    self.note(reference, requester, action, Ok((found.provider, found.fell_back.as_deref())));
                }
                let (held, provider, stamp) = (found.held, found.provider, found.stamp);
                *last = Last::Value(Kept { held: held.clone(), provider, stamp, since: Instant::now() });
                Ok(held)
            }
            Err(error) => {
                if let Some(requester) = requester {
                    self.note(reference, requester, "secrets/resolve", Err(&error));
                }
                if matches!(*last, Last::Nothing) {
                    *last = Last::Fault(error.clone(), Instant::now());
                }
                Err(error)
            }
        }
    }

    async fn is_fresh(&self, kept: &Kept, place: &Reference) -> bool {
        kept.since.elapsed() < self.ttl() && kept.stamp == self.chain.stamp(kept.provider, &place.path).await
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
            Requester::Hub(_) => event = event.on(None, reference.path.clone()),
            Requester::Server(server) => event = event.on(Some(server), reference.path.clone()),
            Requester::Source(_) => event = event.on(None, reference.path.clone()),
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
