//! Secrets in the hub that runs: given to servers when they start, masked wherever text leaves, and watched for change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use omni_audit::Audit;
use omni_auth::Policy;
use omni_hub::Hub;
use omni_proxy::{Fill, Filling};
use omni_screen::Mask;
use omni_secrets::settings::SecretsSettings;
use omni_secrets::{Around, Held, Redactor, Requester, Resolver, Template};
use omni_types::ServerName;

use crate::run::given::{Given, Mark, Texts};
use crate::run::judge::InForce;

/// A process that was replaced may still tell of what it was started with: for so long after it had to be gone.
const GRACE: Duration = Duration::from_secs(60);
/// Servers of which it is remembered that their secrets cannot be had.
const TOLD_MAX: usize = 10_000;

/// The secrets of one hub.
#[derive(Debug, Clone)]
pub(crate) struct Secrets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    around: Around,
    policy: Arc<InForce>,
    audit: Audit,
    redactor: Arc<Redactor>,
    resolver: RwLock<(SecretsSettings, Arc<Resolver>)>,
    given: Given,
    /// Servers that go on with what they have because it cannot be had now; each is told of once.
    told: Mutex<BTreeSet<String>>,
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
        let policy = Arc::new(InForce::default());
        let built = Resolver::new(settings, &around, audit.clone(), Arc::clone(&redactor));
        let resolver = Arc::new(built.judged_by(Arc::<InForce>::clone(&policy)));
        let masks = Arc::clone(&redactor);
        omni_telemetry::mask_log(move |line| masks.masked(line));
        omni_telemetry::mask_panics();
        Self(Arc::new(Inner {
            around,
            policy,
            audit: audit.clone(),
            redactor,
            resolver: RwLock::new((settings.clone(), resolver)),
            given: Given::default(),
            told: Mutex::default(),
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
        let judge = Arc::<InForce>::clone(&inner.policy);
        let before = std::mem::replace(&mut *resolver, (settings.clone(), Arc::new(built.judged_by(judge)))).1;
        // Whoever was given credentials by the one before is replaced by now, and has so long to end.
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            before.close().await;
        });
        true
    }

    /// From now on the policy in force at `hub` decides beside the grants. Before, nothing is given out.
    pub(crate) fn decided_by(&self, hub: &Arc<Hub>) {
        self.0.policy.of(Arc::downgrade(hub));
    }

    /// From now on `policy` decides beside the grants, where no hub runs.
    pub(crate) fn decided_by_policy(&self, policy: Policy) {
        self.0.policy.is(policy);
    }

    /// Gives back what providers made for this hub alone.
    pub(crate) async fn close(&self) {
        let resolver = self.resolver();
        resolver.close().await;
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

    /// What was given out until now.
    pub(crate) fn mark(&self) -> Mark {
        self.0.given.mark()
    }

    /// `server` was replaced or removed: nobody is started any more with what it was given before `mark`. Its processes may still
    /// have it for a while, so it is masked for longer.
    pub(crate) fn replaced(&self, server: &ServerName, mark: Mark) {
        self.0.given.forget(server, mark);
    }

    /// The servers that were given what is not true any more; processes that are replaced have `drain` to end. What nobody has any
    /// more is let go.
    pub(crate) async fn changed(&self, drain: Duration) -> Vec<ServerName> {
        let resolver = self.resolver();
        resolver.sweep();
        let given = self.0.given.all();
        let in_use = |held: &Held| {
            let mut texts = given.iter().flat_map(|(_, texts)| texts.values());
            texts.any(|(_, text)| text.expose().contains(held.expose()))
        };
        self.0.redactor.retain(resolver.ttl().max(drain + GRACE), &in_use);
        let mut changed: Vec<ServerName> = Vec::new();
        for (server, texts) in &given {
            if !changed.contains(server) && self.is_other(&resolver, server, texts).await {
                changed.push(server.clone());
            }
        }
        changed
    }

    /// Whether `server` would be given something else than `texts` by now. What cannot be had now is no change: whoever has it
    /// goes on with it, and that is told once.
    async fn is_other(&self, resolver: &Resolver, server: &ServerName, texts: &Texts) -> bool {
        let requester = Requester::Server(server.clone());
        for (template, held) in texts.values() {
            let is_other = resolver.is_other(template, held, &requester).await;
            let has_some = !held.expose().is_empty();
            let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
            let place = format!("{server} {template}");
            match is_other {
                Ok(true) => return true,
                Ok(false) => drop(told.remove(&place)),
                Err(error) if has_some && told.len() < TOLD_MAX && told.insert(place) => {
                    tracing::warn!(%server, %error, "a secret in use cannot be had any more: its server goes on with what it has");
                }
                Err(_) => {}
            }
        }
        false
    }

    /// The token of the source of profiles called `name`, by the reference `text`.
    pub(crate) async fn of_source(&self, name: &str, text: &str) -> Result<Held, String> {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        let filled = self.resolver().fill(&template, &Requester::Source(name.to_owned())).await;
        filled.map_err(|error| error.to_string())
    }
}

impl Fill for Secrets {
    fn fill<'a>(&'a self, server: &'a ServerName, texts: &'a BTreeMap<String, String>) -> Filling<'a> {
        Box::pin(async move {
            let resolver = self.resolver();
            let requester = Requester::Server(server.clone());
            let (mut filled, mut given, mut failed) = (BTreeMap::new(), Texts::new(), None);
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
            self.0.given.add(server, given)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use omni_audit::{Audit, Event, FieldName, FieldValue, Outcome, Sink, Who};
    use omni_auth::settings::{PolicySettings, PolicySource};
    use omni_hub::Hub;
    use omni_secrets::{Held, LocalStore, Redactor};
    use omni_types::ServerName;

    use super::Secrets;
    use omni_secrets::settings::SecretsSettings;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<Event>>>);

    impl Sink for Kept {
        fn record(&self, _: Who, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    struct World {
        folder: tempfile::TempDir,
        kept: Kept,
        redactor: Arc<Redactor>,
        secrets: Secrets,
        _hub: Arc<Hub>,
    }

    impl World {
        fn new(settings: &str) -> Self {
            Self::with(settings, "")
        }

        fn with(settings: &str, policy: &str) -> Self {
            let (folder, kept, redactor) = (tempfile::tempdir().unwrap(), Kept::default(), Arc::default());
            let settings = serde_json::from_str(settings).unwrap();
            let audit = Audit::to(kept.clone());
            let secrets = Secrets::new(&settings, Some(folder.path()), &audit, Arc::clone(&redactor));
            let source = PolicySource { path: "p.cedar".into(), text: policy.to_owned() };
            let policy = PolicySettings { sources: vec![source], ..PolicySettings::default() };
            let policy = omni_auth::Policy::build(&policy).unwrap();
            let hub = Hub::new(omni_auth::local_user(), policy, omni_hub::Limits::default()).unwrap();
            secrets.decided_by(&hub);
            Self { folder, kept, redactor, secrets, _hub: hub }
        }

        fn set(&self, name: &str, value: &str) {
            LocalStore::at(self.folder.path()).put(&[(name.to_owned(), Held::new(value.to_owned()))]).unwrap();
        }

        async fn fill(&self, server: &str, text: &str) -> Result<String, String> {
            let texts = [("T".to_owned(), text.to_owned())].into();
            self.secrets.fill().fill(&name(server), &texts).await.map(|filled| filled["T"].clone())
        }

        /// The servers that are told of, and replaced as the hub does it.
        async fn replaced(&self) -> Vec<String> {
            let mark = self.secrets.mark();
            let mut changed = self.secrets.changed(Duration::ZERO).await;
            changed.iter().for_each(|server| self.secrets.replaced(server, mark));
            changed.sort_by(|x, y| x.as_str().cmp(y.as_str()));
            changed.iter().map(|server| server.as_str().to_owned()).collect()
        }
    }

    fn name(server: &str) -> ServerName {
        ServerName::parse(server).unwrap()
    }

    #[tokio::test]
    async fn sec_5_a_rotated_value_is_noticed_and_a_server_gets_what_it_is_named_for() {
        let world = World::new(r#"{"names":{"k":{"servers":["a"]}}}"#);
        world.set("k", "first-value");
        let text = "Bearer ${SECRET:k} $${x}";
        assert_eq!(world.fill("a", text).await.unwrap(), "Bearer first-value ${x}");
        let refused = world.fill("b", text).await.unwrap_err();
        assert!(refused.contains("is not granted to server `b`"), "{refused}");
        assert!(world.replaced().await.is_empty());
        world.set("k", "second-value");
        assert_eq!(world.secrets.changed(Duration::ZERO).await, [name("a")], "what is not granted is no change");
        assert_eq!(world.replaced().await, ["a"], "it is told of until it is replaced");
        assert!(world.replaced().await.is_empty());
        assert_eq!(world.fill("a", text).await.unwrap(), "Bearer second-value ${x}");
        assert!(world.replaced().await.is_empty());
        LocalStore::at(world.folder.path()).remove("k").unwrap();
        assert!(world.replaced().await.is_empty(), "who has it goes on with it");
        let settings = SecretsSettings::default();
        assert!(world.secrets.apply(&settings) && !world.secrets.apply(&settings));
        assert!(world.fill("b", text).await.unwrap_err().contains("omni secret set k"));
        assert!(world.replaced().await.is_empty(), "what is missing is no change");
        world.set("k", "third-value");
        assert_eq!(world.replaced().await, ["a", "b"], "what is there again is");
        let kept = world.kept.0.lock().unwrap();
        let told: Vec<_> = kept.iter().map(|e| (e.action.to_string(), e.outcome)).collect();
        let resolve = || "secrets/resolve".to_owned();
        assert_eq!(told[..2], [(resolve(), Outcome::Success), (resolve(), Outcome::Denied)]);
        let provider = (FieldName::Provider, FieldValue::Text("store".to_owned()));
        assert!(kept[0].facts.contains(&provider));
        assert!(!format!("{kept:?}").contains("-value"));
    }

    #[tokio::test]
    async fn sec_5_what_an_older_process_has_stays_masked_while_it_may_run() {
        let world = World::new(r#"{"ttl_s":1}"#);
        world.set("k", "first-value");
        world.fill("a", "${STORE:k}").await.unwrap();
        world.set("k", "second-value");
        world.fill("a", "${STORE:k}").await.unwrap();
        // Two processes of one server have two values: both are known, and one is not true any more.
        assert_eq!(world.secrets.changed(Duration::ZERO).await, [name("a")]);
        let mark = world.secrets.mark();
        world.fill("a", "${STORE:k}").await.unwrap();
        world.secrets.replaced(&name("a"), mark);
        assert!(world.replaced().await.is_empty(), "the one that was started meanwhile has what is true");
        for value in ["first-value", "second-value"] {
            assert!(world.redactor.masked(value).is_some(), "{value} may still be told of by a process that ends");
        }
    }

    #[tokio::test]
    async fn sec_5_policy_takes_a_secret_from_a_server() {
        let policy = r#"forbid(principal, action == Action::"secrets/use", resource == Secret::"payroll")
            unless { principal has client && principal.client == "server:hr" };"#;
        let world = World::with("{}", policy);
        world.set("payroll", "value-of-payroll");
        world.set("other", "value-of-other");
        assert_eq!(world.fill("hr", "${STORE:payroll}").await.unwrap(), "value-of-payroll");
        assert_eq!(world.fill("web", "${STORE:other}").await.unwrap(), "value-of-other");
        let refused = world.fill("web", "${STORE:payroll}").await.unwrap_err();
        assert!(refused.contains("is not granted to server `web`"), "{refused}");
        assert_eq!(world.kept.0.lock().unwrap().last().unwrap().outcome, Outcome::Denied);
    }

    #[tokio::test]
    async fn sec_5_a_field_that_disappears_replaces_nobody() {
        let world = World::new("{}");
        world.set("k", r#"{"password":"first-value"}"#);
        assert_eq!(world.fill("a", "${STORE:k:password}").await.unwrap(), "first-value");
        world.set("k", r#"{"user":"ada"}"#);
        assert!(world.replaced().await.is_empty());
        assert!(world.fill("b", "${STORE:k:password}").await.unwrap_err().contains("no such field"));
        assert!(world.replaced().await.is_empty(), "nor does one that was never there");
        world.set("k", r#"{"password":"second-value"}"#);
        assert_eq!(world.replaced().await, ["a", "b"]);
    }
}
