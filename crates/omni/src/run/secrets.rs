//! Secrets in the hub that runs: given to servers when they start, masked wherever text leaves, and watched for change.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use omni_audit::{Audit, Condition, Event, EventKind, FieldValue, Outcome, Recording, Sink, Who};
use omni_proxy::{Fill, Filling};
use omni_screen::Mask;
use omni_secrets::settings::SecretsSettings;
use omni_secrets::{Around, Held, Redactor, Requester, Resolver, Template};
use omni_types::ServerName;

/// What one server was given: texts as they are written, and filled.
type Given = BTreeMap<String, (Template, Held)>;

/// The secrets of one hub.
#[derive(Debug, Clone)]
pub(crate) struct Secrets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    around: Around,
    audit: Audit,
    redactor: Arc<Redactor>,
    resolver: RwLock<(SecretsSettings, Arc<Resolver>)>,
    given: Mutex<HashMap<ServerName, Given>>,
}

impl Secrets {
    /// Those of the settings; values that are given out are masked in the log from now on.
    pub(crate) fn new(
        settings: &SecretsSettings,
        data_dir: Option<&Path>,
        audit: &Audit,
        redactor: Arc<Redactor>,
    ) -> Self {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let around = Around { variables: variables.collect(), data_dir: data_dir.map(Path::to_owned) };
        let resolver = Arc::new(Resolver::new(settings, &around, audit.clone(), Arc::clone(&redactor)));
        let masks = Arc::clone(&redactor);
        omni_telemetry::mask_log(move |line| masks.masked(line));
        Self(Arc::new(Inner {
            around,
            audit: audit.clone(),
            redactor,
            resolver: RwLock::new((settings.clone(), resolver)),
            given: Mutex::default(),
        }))
    }

    /// Puts other settings into force; whether they are others.
    pub(crate) fn apply(&self, settings: &SecretsSettings) -> bool {
        let mut resolver = self.0.resolver.write().unwrap_or_else(PoisonError::into_inner);
        if resolver.0 == *settings {
            return false;
        }
        let inner = &self.0;
        let built = Resolver::new(settings, &inner.around, inner.audit.clone(), Arc::clone(&inner.redactor));
        *resolver = (settings.clone(), Arc::new(built));
        true
    }

    /// What puts values into a server's entry.
    pub(crate) fn fill(&self) -> Arc<dyn Fill> {
        Arc::new(self.clone())
    }

    /// What masks values in messages.
    pub(crate) fn mask(&self) -> Arc<dyn Mask> {
        Arc::new(Masking(Arc::clone(&self.0.redactor)))
    }

    fn resolver(&self) -> Arc<Resolver> {
        Arc::clone(&self.0.resolver.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    fn given(&self) -> std::sync::MutexGuard<'_, HashMap<ServerName, Given>> {
        self.0.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The servers among those that `are_there` that were given what is not true any more. What nobody has any more is let go.
    pub(crate) async fn changed(&self, are_there: &(dyn Fn(&str) -> bool + Sync)) -> Vec<ServerName> {
        let resolver = self.resolver();
        resolver.sweep();
        let given: Vec<(ServerName, Given)> = {
            let mut given = self.given();
            given.retain(|server, _| are_there(server.as_str()));
            given.iter().map(|(server, texts)| (server.clone(), texts.clone())).collect()
        };
        let in_use =
            |held: &Held| given.iter().any(|(_, all)| all.values().any(|(_, t)| t.expose().contains(held.expose())));
        self.0.redactor.retain(resolver.ttl(), &in_use);
        let mut changed = Vec::new();
        for (server, texts) in &given {
            let requester = Requester::Server(server.clone());
            for (template, held) in texts.values() {
                // What cannot be asked now goes on with what it has.
                if matches!(resolver.is_other(template, held, &requester).await, Ok(true)) {
                    changed.push(server.clone());
                    break;
                }
            }
        }
        // What it had is over, also while it sleeps: it is told of once.
        let mut given = self.given();
        changed.iter().for_each(|server| drop(given.remove(server)));
        drop(given);
        changed
    }
}

impl Fill for Secrets {
    fn fill<'a>(&'a self, server: &'a ServerName, texts: &'a BTreeMap<String, String>) -> Filling<'a> {
        Box::pin(async move {
            let resolver = self.resolver();
            let requester = Requester::Server(server.clone());
            let (mut filled, mut given, mut failed) = (BTreeMap::new(), Given::new(), None);
            for (key, text) in texts {
                let template = Template::parse(text).map_err(|error| format!("{key}: {error}"))?;
                // What cannot be had is nothing, and so another one as soon as it can.
                let mut held = Held::new(String::new());
                match resolver.fill(&template, &requester).await {
                    Ok(value) => held = value,
                    Err(error) => failed = failed.or_else(|| Some(format!("{key}: {error}"))),
                }
                filled.insert(key.clone(), held.expose().to_owned());
                given.insert(text.clone(), (template, held));
            }
            self.given().insert(server.clone(), given);
            failed.map_or(Ok(filled), Err)
        })
    }
}

/// The redactor as the screen of messages asks it.
#[derive(Debug)]
struct Masking(Arc<Redactor>);

impl Mask for Masking {
    fn might_hold(&self, json: &[u8]) -> bool {
        self.0.might_hold(json)
    }

    fn find(&self, text: &str, found: &mut Vec<(Range<usize>, String)>) {
        found.extend(self.0.find(text).into_iter().map(|(range, name)| (range, name.to_string())));
    }
}

/// The audit log, whose texts hold no value that was given out.
struct Masked {
    audit: Audit,
    redactor: Arc<Redactor>,
}

/// `audit` with the values masked that `redactor` knows.
pub(crate) fn masked(audit: Audit, redactor: Arc<Redactor>) -> Audit {
    Audit::to(Masked { audit, redactor })
}

impl Masked {
    fn without(&self, mut event: Event) -> Event {
        let mask = |text: &mut String| {
            if let Some(masked) = self.redactor.masked(text) {
                *text = masked;
            }
        };
        event.reason.iter_mut().for_each(mask);
        event.resource.iter_mut().for_each(|resource| mask(&mut resource.name));
        for (_, value) in &mut event.facts {
            match value {
                FieldValue::Text(text) => mask(text),
                FieldValue::List(texts) => texts.iter_mut().for_each(mask),
                FieldValue::Number(_) | FieldValue::Digest(_) => {}
            }
        }
        event
    }
}

impl Sink for Masked {
    fn record(&self, who: Who, event: Event) {
        self.audit.record(who, self.without(event));
    }

    fn record_durably(&self, who: Who, event: Event) -> Recording {
        self.audit.record_durably(who, self.without(event))
    }

    fn keeps(&self, kind: EventKind, outcome: Outcome) -> bool {
        self.audit.keeps(kind, outcome)
    }

    fn is_strict(&self) -> bool {
        self.audit.is_strict()
    }

    fn keeps_arguments(&self) -> bool {
        self.audit.keeps_arguments()
    }

    fn condition(&self) -> Option<Condition> {
        self.audit.condition()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use omni_audit::{Audit, Event, EventKind, FieldName, FieldValue, Outcome, Sink, Who};
    use omni_secrets::{Held, LocalStore, Redactor};
    use omni_types::ServerName;

    use super::{Secrets, masked};
    use omni_secrets::settings::SecretsSettings;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<Event>>>);

    impl Sink for Kept {
        fn record(&self, _: Who, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    #[test]
    fn sec_5_no_value_is_written_down() {
        let (kept, redactor) = (Kept::default(), Arc::new(Redactor::default()));
        redactor.learn("db", &Held::new("hunter2-hunter2".to_owned()));
        let audit = masked(Audit::to(kept.clone()), redactor);
        let event = Event::new(EventKind::Call, "tools/call", Outcome::Failed)
            .on(None, "tool hunter2-hunter2")
            .because("it said hunter2-hunter2")
            .fact(FieldName::Arguments, r#"{"a":"hunter2-hunter2"}"#)
            .fact(FieldName::Policies, vec!["hunter2-hunter2".to_owned()]);
        audit.record(Who::System, event);
        let shown = format!("{:?}", kept.0.lock().unwrap());
        assert!(!shown.contains("hunter2") && shown.matches("[secret db masked]").count() == 4, "{shown}");
    }

    #[tokio::test]
    async fn sec_5_a_rotated_value_is_noticed_and_a_server_gets_what_it_is_named_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::at(folder.path());
        let set = |value: &str| drop(store.put(&[("k".to_owned(), Held::new(value.to_owned()))]).unwrap());
        set("first-value");
        let kept = Kept::default();
        let mut settings: SecretsSettings = serde_json::from_str(r#"{"names":{"k":{"servers":["a"]}}}"#).unwrap();
        let secrets =
            Secrets::new(&settings, Some(folder.path()), &Audit::to(kept.clone()), Arc::new(Redactor::default()));
        let fill = secrets.fill();
        let (a, b) = (ServerName::parse("a").unwrap(), ServerName::parse("b").unwrap());
        let texts = [("T".to_owned(), "Bearer ${SECRET:k} $${x}".to_owned())].into();
        assert_eq!(fill.fill(&a, &texts).await.unwrap()["T"], "Bearer first-value ${x}");
        let refused = fill.fill(&b, &texts).await.unwrap_err();
        assert!(refused.contains("is not granted to server `b`"), "{refused}");
        assert!(secrets.changed(&|_| true).await.is_empty());
        set("second-value");
        assert_eq!(secrets.changed(&|_| true).await, vec![a.clone()], "what is not granted is no change");
        assert!(secrets.changed(&|_| true).await.is_empty(), "it is told once, whenever the server is started");
        assert_eq!(fill.fill(&a, &texts).await.unwrap()["T"], "Bearer second-value ${x}");
        assert!(secrets.changed(&|_| true).await.is_empty());
        store.remove("k").unwrap();
        assert!(secrets.changed(&|_| true).await.is_empty(), "who has it goes on with it");
        settings.names.clear();
        assert!(secrets.apply(&settings) && !secrets.apply(&settings));
        assert!(fill.fill(&b, &texts).await.unwrap_err().contains("omni secret set k"));
        assert!(secrets.changed(&|_| true).await.is_empty(), "what is missing is no change");
        set("third-value");
        let mut both = secrets.changed(&|_| true).await;
        both.sort_by(|x, y| x.as_str().cmp(y.as_str()));
        assert_eq!(both, [a, b], "what is there again is");
        let told: Vec<_> = kept.0.lock().unwrap().iter().map(|e| (e.action.to_string(), e.outcome)).collect();
        let resolve = || "secrets/resolve".to_owned();
        assert_eq!(told[..2], [(resolve(), Outcome::Success), (resolve(), Outcome::Denied)]);
        let provider = (FieldName::Provider, FieldValue::Text("store".to_owned()));
        assert!(kept.0.lock().unwrap()[0].facts.contains(&provider));
        assert!(!format!("{:?}", kept.0.lock().unwrap()).contains("-value"));
    }
}
