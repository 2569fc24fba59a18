//! The way from a reference to a value: which providers, in which order, each with a deadline, one more try and a circuit.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::circuit::Circuit;
use crate::counts::Counts;
use crate::error::SecretError;
use crate::fault::Fault;
use crate::held::Held;
use crate::local::Stamp;
use crate::providers::{Around, Provider};
use crate::reference::{Reference, Source};
use crate::settings::{ProviderName, SecretsSettings};

/// Before a provider that is asked over a network is asked once more.
const PAUSE: Duration = Duration::from_millis(100);

/// The providers of one configuration, and their order.
#[derive(Debug)]
pub(crate) struct Chain {
    settings: SecretsSettings,
    timeout: Duration,
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
    pub(crate) fn build(settings: &SecretsSettings, around: &Around) -> Self {
        let all = [ProviderName::Store, ProviderName::Env, ProviderName::File, ProviderName::Vault];
        let built = all.map(|name| (name, (Provider::build(name, settings, around), Circuit::default())));
        let timeout = Duration::from_secs(settings.timeout_s.max(1));
        Self { settings: settings.clone(), timeout, providers: BTreeMap::from(built) }
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

    /// What tells whether `provider`'s value may be another one by now.
    pub(crate) fn stamp(&self, provider: ProviderName, path: &str) -> Stamp {
        self.providers.get(&provider)?.0.as_ref().ok()?.stamp(path)
    }

    /// Asks one provider after the other.
    pub(crate) async fn value(&self, reference: &Reference, counts: &Counts) -> Result<Found, SecretError> {
        let order = self.order(reference);
        let shown = reference.to_string();
        let mut faults: Vec<(ProviderName, Fault)> = Vec::new();
        for name in order {
            let (began, stamp) = (Instant::now(), self.stamp(name, &reference.path));
            let asked = self.ask(name, &reference.path).await;
            counts.asked(name, began.elapsed(), asked.is_ok(), !faults.is_empty());
            match asked {
                Ok(held) => {
                    let fell_back = faults.pop().map(|(before, fault)| told(before, &fault));
                    return Ok(Found { held, provider: name, fell_back, stamp });
                }
                Err(fault) => faults.push((name, fault)),
            }
        }
        Err(error(shown, &faults))
    }

    async fn ask(&self, name: ProviderName, path: &str) -> Result<Held, Fault> {
        let Some((provider, circuit)) = self.providers.get(&name) else {
            return Err(Fault::Unusable("is not there".to_owned()));
        };
        let provider = provider.as_ref().map_err(|why| Fault::Unusable(format!("is not set up: {why}")))?;
        circuit.closed().map_err(|left| {
            Fault::Unreachable(format!("failed again and again and is left alone for {} s more", left.as_secs() + 1))
        })?;
        let once = || async {
            let late = || Fault::Unreachable(format!("did not answer within {} s", self.timeout.as_secs()));
            timeout(self.timeout, provider.value(path)).await.unwrap_or_else(|_| Err(late()))
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
