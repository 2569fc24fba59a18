//! The way from a reference to a value: which providers, in which order, each with a deadline, one more try and a circuit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::circuit::Circuit;
use crate::counts::Counts;
use crate::error::SecretError;
use crate::fault::Fault;
use crate::held::Held;
use crate::local::Stamp;
use crate::providers::{Around, Provider};
use crate::redact::Redactor;
use crate::reference::{Reference, Source};
use crate::settings::{ProviderName, SecretsSettings};

/// Before a provider that is asked over a network is asked once more.
const PAUSE: Duration = Duration::from_millis(100);
/// All that are asked for one value have so many times the time of one, together.
const TIMEOUTS_MAX: u32 = 3;

/// The providers of one configuration, and their order.
#[derive(Debug)]
pub(crate) struct Chain {
    settings: SecretsSettings,
    timeout: Duration,
    /// What providers say of themselves is told without the values that are known.
    redactor: Arc<Redactor>,
    providers: BTreeMap<ProviderName, (Result<Provider, String>, Circuit)>,
}

/// A value, and who gave it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) held: Held,
    pub(crate) provider: ProviderName,
    /// Why the one before it in the chain did not give it.
    pub(crate) fell_back: Option<String>,
    /// What told its state before it was asked: what changed meanwhile is asked for again.
    pub(crate) stamp: Stamp,
}

impl Chain {
    pub(crate) fn build(settings: &SecretsSettings, around: &Around, redactor: &Arc<Redactor>) -> Self {
        let all =
            [ProviderName::Store, ProviderName::Env, ProviderName::File, ProviderName::Vault, ProviderName::Keychain];
        let built = all.map(|name| (name, (Provider::build(name, settings, around, redactor), Circuit::default())));
        let timeout = Duration::from_secs(settings.timeout_s.max(1));
        Self { settings: settings.clone(), timeout, redactor: Arc::clone(redactor), providers: BTreeMap::from(built) }
    }

    /// Who is asked for `reference`, one after the other.
    fn order(&self, reference: &Reference) -> Vec<ProviderName> {
        match (reference.source, self.settings.names.get(&reference.path)) {
            (Source::Secret, Some(name)) if name.from.is_some() => name.from.clone().unwrap_or_default(),
            (Source::Secret, _) => {
                let second = self.settings.fallback.filter(|second| *second != self.settings.provider);
                [Some(self.settings.provider), second].into_iter().flatten().collect()
            }
            (source, _) => ProviderName::of(source).into_iter().collect(),
        }
    }

    /// Whether `reference` asks some provider for what is kept there as `name`, however either is written.
    pub(crate) fn names(&self, reference: &Reference, name: &str) -> bool {
        let same = |provider: &ProviderName| match self.providers.get(provider) {
            Some((Ok(provider), _)) => provider.normal(&reference.path) == provider.normal(name),
            _ => false,
        };
        reference.path == name || self.order(reference).iter().any(same)
    }

    /// The names under which the providers that `reference` asks keep it, whichever way it is spelled.
    pub(crate) fn kept_as(&self, reference: &Reference) -> BTreeSet<String> {
        let order = self.order(reference);
        let built = order.iter().filter_map(|provider| self.providers.get(provider)?.0.as_ref().ok());
        built.map(|provider| provider.normal(&reference.path)).chain([reference.path.clone()]).collect()
    }

    /// What tells whether `provider`'s value may be another one by now.
    pub(crate) async fn stamp(&self, provider: ProviderName, path: &str) -> Stamp {
        let provider = self.providers.get(&provider)?.0.as_ref().ok()?;
        timeout(self.timeout, provider.stamp(path)).await.ok()?
    }

    /// Asks one provider after the other.
    pub(crate) async fn value(&self, reference: &Reference, counts: &Counts) -> Result<Found, SecretError> {
        let order = self.order(reference);
        let shown = reference.to_string();
        let mut faults: Vec<(ProviderName, Fault)> = Vec::new();
        let until = Instant::now() + self.timeout * TIMEOUTS_MAX;
        for name in order {
            let began = Instant::now();
            let stamp = self.stamp(name, &reference.path).await;
            let asked = self.ask(name, &reference.path, until).await;
            counts.asked(name, began.elapsed(), asked.is_ok(), !faults.is_empty());
            match asked {
                Ok(held) => {
                    let fell_back = faults.pop().map(|(before, fault)| told(before, &fault));
                    return Ok(Found { held, provider: name, fell_back, stamp });
                }
                Err(fault) => faults.push((name, fault.masked(&self.redactor))),
            }
        }
        Err(error(shown, &faults))
    }

    /// Gives back what providers made for this hub alone, within the time of one answer.
    pub(crate) async fn close(&self) {
        for (provider, _) in self.providers.values() {
            if let Ok(provider) = provider {
                let _what_is_left_runs_out = timeout(self.timeout, provider.close()).await;
            }
        }
    }

    async fn ask(&self, name: ProviderName, path: &str, until: Instant) -> Result<Held, Fault> {
        let Some((provider, circuit)) = self.providers.get(&name) else {
            return Err(Fault::Unusable("is not there".to_owned()));
        };
        let provider = provider.as_ref().map_err(|why| Fault::Unusable(format!("is not set up: {why}")))?;
        circuit.closed().map_err(|left| {
            Fault::Unreachable(format!("failed again and again and is left alone for {} s more", left.as_secs() + 1))
        })?;
        let once = || async {
            let left = self.timeout.min(until.saturating_duration_since(Instant::now()));
            let late = || Fault::Unreachable(format!("did not answer within {:.1} s", left.as_secs_f32()));
            timeout(left, provider.value(path)).await.unwrap_or_else(|_| Err(late()))
        };
        let mut asked = once().await;
        if provider.is_remote() && matches!(asked, Err(Fault::Unreachable(_))) {
            tokio::time::sleep(PAUSE).await;
            asked = once().await;
        }
        circuit.book(!matches!(asked, Err(Fault::Unreachable(_))));
        asked
    }
}

fn told(provider: ProviderName, fault: &Fault) -> String {
    let (Fault::Missing(why) | Fault::Unusable(why) | Fault::Unreachable(why)) = fault;
    format!("{}: {why}", provider.as_str())
}

/// A secret is missing only where everybody who was asked knows that; a default may stand in for no other.
fn error(reference: String, faults: &[(ProviderName, Fault)]) -> SecretError {
    if let Some((provider, Fault::Unreachable(why))) = faults.iter().find(|(_, f)| matches!(f, Fault::Unreachable(_))) {
        return SecretError::Unreachable { reference, provider: provider.as_str(), why: why.clone() };
    }
    let why = faults.iter().map(|(provider, fault)| told(*provider, fault)).collect::<Vec<_>>().join("; ");
    if faults.iter().any(|(_, fault)| matches!(fault, Fault::Unusable(_))) {
        return SecretError::Unusable { reference, why };
    }
    if faults.is_empty() {
        let why = "this hub has no such provider: keep the secret in the store (`omni secret set`)".to_owned();
        return SecretError::Unusable { reference, why };
    }
    SecretError::Missing { reference, why }
}
