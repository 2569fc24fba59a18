//! Putting the hub together: every floor of the house meets here and nowhere else.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use omni_auth::settings::{AuthMode, AuthSettings};
use omni_auth::{ApiKeys, Authenticator, LocalTokens, Policy, local_user};
use omni_cache::settings::CacheSettings;
use omni_cache::{Cache, Clock};
use omni_hub::throttle::settings::ThrottleSettings;
use omni_hub::{Administration, Hub, Limits, Snapshot, Throttle};
use omni_protocol::Version;
use omni_proxy::process::Guard;
use omni_proxy::{CatalogStore, Profile, Server, ServerSpec};
use omni_screen::Screen;
use omni_store::Store;

use crate::config::{AuditSettings, Settings};
use crate::run::audit::{AuditLog, open, witness};
use crate::run::key;
use crate::run::masked::masked;
use crate::run::memory;
use crate::run::profiles::{self, Followed};
use crate::run::secrets::Secrets;

/// Between two looks at what the Auth module keeps.
const AUTH_TICK: Duration = Duration::from_millis(500);

/// Between two looks whether a secret was rotated.
const SECRETS_TICK: Duration = Duration::from_secs(2);

/// A hub and what it needs to follow its configuration.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// The hub.
    pub(crate) hub: Arc<Hub>,
    /// What happens is written down here.
    pub(crate) audit: AuditLog,
    /// What an administrator does with it.
    pub(crate) administration: Arc<Administration>,
    program: PathBuf,
    data_dir: Option<PathBuf>,
    keys: ApiKeys,
    /// By which clients are let in; changed by who holds `current`.
    auth: Arc<Mutex<AuthSettings>>,
    store: Option<CatalogStore>,
    secrets: Secrets,
    /// What is in force; held while it is changed.
    current: Arc<Mutex<Settings>>,
    throttle: Arc<Mutex<Option<Throttled>>>,
    cache: Arc<Mutex<Option<Caching>>>,
    profiles: Followed,
}

/// A cache, and the settings that it was made by.
type Caching = (CacheSettings, Arc<Cache>);
/// Limits, and the settings that they were made of.
type Throttled = (ThrottleSettings, Arc<Throttle>);

/// The runtime of a command that runs the hub: a thread for each processor it may use. More of them would only take turns.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

/// Starts the log as the settings want it.
pub(crate) fn start_log(settings: &Settings) {
    let level = serde_json::to_value(settings.log.level).ok();
    let format = serde_json::to_value(settings.log.format).ok();
    let json = format.as_ref().and_then(|f| f.as_str()) == Some("json");
    let format = if json { omni_telemetry::LogFormat::Json } else { omni_telemetry::LogFormat::Text };
    omni_telemetry::start_log(level.as_ref().and_then(|l| l.as_str()).unwrap_or("info"), format);
}

/// Whether clients from other machines have to say who they are.
pub(crate) fn has_logins(settings: &Settings) -> bool {
    matches!(settings.auth.mode, AuthMode::Oauth | AuthMode::Certificate)
}

/// Bounds of the hub as the settings want them.
fn limits(settings: &Settings) -> Limits {
    Limits {
        sessions_max: settings.gateway.sessions_max,
        session_idle_timeout: Duration::from_secs(settings.gateway.session_idle_timeout_s),
        resume_window: Duration::from_secs(settings.gateway.resume_window_s),
        input_wait: Duration::from_secs(settings.gateway.input_timeout_s),
        ..Limits::default()
    }
}

/// Puts the hub together. No server is started yet.
pub(crate) fn assemble(settings: &Settings, data_dir: Option<&Path>) -> Result<Running> {
    memory::keep_private();
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let store = data_dir.map(|folder| CatalogStore::new(&folder.join("catalog")));
    let tokens = data_dir.map(LocalTokens::of);
    let keys = ApiKeys::default();
    let authenticator = Authenticator::build(&settings.auth, local_user(), tokens);
    let method = keys.method(authenticator.revocations().clone());
    let authenticator = authenticator.with(method);
    let hub = Hub::with_key(&key::load(data_dir)?, authenticator, policy(settings)?, limits(settings))?;
    let redactor = Arc::default();
    let audit = open(settings, data_dir, &redactor)?;
    let masked = masked(audit.audit(), Arc::clone(&redactor));
    let secrets = Secrets::new(&settings.secrets, data_dir, &masked, redactor);
    let hub = hub.audited(masked)?;
    hub.witnesses_by(witness(&settings.audit, data_dir)?);
    secrets.decided_by(&hub);
    let administration = Arc::new(Administration::new(Arc::clone(&hub), data_dir.map(Store::at), keys.clone()));
    let running = Running {
        hub,
        audit,
        administration,
        program,
        data_dir: data_dir.map(Path::to_owned),
        keys,
        auth: Arc::new(Mutex::new(settings.auth.clone())),
        store,
        secrets,
        current: Arc::default(),
        throttle: Arc::default(),
        profiles: Followed::new(data_dir),
        cache: Arc::default(),
    };
    running.apply(settings)?;
    running.hub.start();
    tokio::spawn(look_after(Arc::clone(&running.hub)));
    tokio::spawn(running.clone().follow_secrets());
    tokio::spawn(profiles::follow(running.hub.clone(), running.profiles.clone(), running.secrets.clone()));
    Ok(running)
}

/// What the Auth module keeps is looked after for as long as the hub is there.
async fn look_after(hub: Arc<Hub>) {
    loop {
        tokio::time::sleep(AUTH_TICK).await;
        hub.authenticator().tick();
    }
}

/// The policy that `settings` describe.
pub(crate) fn policy(settings: &Settings) -> Result<Policy> {
    Policy::build(&settings.policy).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow!("{}", faults.join("\n"))
    })
}

impl Running {
    /// Puts `settings` into force: servers whose entry did not change go on as they are, the others are replaced. When
    /// anything is wrong, nothing changes.
    pub(crate) fn apply(&self, settings: &Settings) -> Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let others = self.secrets.apply(&settings.secrets) || current.policy != settings.policy;
        let logins = self.logins(&settings.auth);
        let changed = logins.is_some();
        // Who gets which secret may be another by now, so all that get any are asked for anew.
        if let Err(error) = self.put_in_force(settings, logins, &|spec| others && !spec.credentials.is_empty()) {
            self.secrets.apply(&current.secrets);
            return Err(error);
        }
        if changed {
            *self.auth.lock().unwrap_or_else(PoisonError::into_inner) = settings.auth.clone();
        }
        *current = settings.clone();
        Ok(())
    }

    /// The hub has stopped: what was made for it alone is given back.
    pub(crate) async fn close_secrets(&self) {
        self.secrets.close().await;
    }

    /// Servers whose secrets were rotated are started or connected to anew, with what is true now.
    async fn follow_secrets(self) {
        let mut failed = Vec::new();
        loop {
            tokio::time::sleep(SECRETS_TICK).await;
            let drain = {
                let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                Duration::from_secs(current.gateway.drain_timeout_s)
            };
            let changed = self.secrets.changed(drain).await;
            if changed.is_empty() {
                failed.clear();
                continue;
            }
            let done = {
                let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                self.put_in_force(&current, None, &|spec| changed.contains(&spec.name))
            };
            match done {
                Ok(()) => tracing::info!(servers = ?changed, "a secret changed: its servers are started anew"),
                // It is tried again at each look, and told once.
                Err(_) if failed == changed => continue,
                Err(error) => {
                    tracing::error!(%error, servers = ?changed, "a secret changed, and its servers could not be replaced");
                    failed = changed;
                }
            }
            self.wake_unknown();
        }
    }

    /// The servers of `settings`, those that are there as they are unless `is_other` says so; `logins` where they are others.
    fn put_in_force(
        &self,
        settings: &Settings,
        logins: Option<Authenticator>,
        is_other: &dyn Fn(&ServerSpec) -> bool,
    ) -> Result<()> {
        let old = self.hub.snapshot();
        let mark = self.secrets.mark();
        let guard = Guard { program: self.program.clone(), args: vec!["guard".into()] };
        let throttle = self.throttle(settings)?;
        let cache = self.cache(settings)?;
        let drain = Duration::from_secs(settings.gateway.drain_timeout_s);
        let mut servers = Vec::new();
        for (name, entry) in settings.servers.iter().filter(|(_, entry)| !entry.disabled) {
            let mut spec = ServerSpec::build(name, &entry.or(&settings.server_defaults), &self.program)?;
            spec.credentials.had_from(self.secrets.fill());
            let kept = old.server(name).filter(|server| *server.spec() == spec && !is_other(&spec));
            servers.push(match kept {
                Some(server) => Arc::clone(server),
                None => {
                    Server::new(spec, Some(guard.clone()), self.store.clone(), self.hub.audience(), self.hub.changes())
                }
            });
        }
        let gone: Vec<Arc<Server>> =
            old.servers().iter().filter(|o| !servers.iter().any(|s| Arc::ptr_eq(s, o))).cloned().collect();
        self.hub.replace(
            Snapshot::new(servers, policy(settings)?)
                .with_screen(Arc::new(
                    Screen::build(&settings.validation, &settings.answers)?
                        .after(old.screen())
                        .with_mask(self.secrets.mask()),
                ))
                .throttled(throttle)
                .draining(drain)
                .with_cache(cache),
            logins,
        );
        self.profiles.put(&self.hub, settings.profiles.as_ref());
        for server in gone {
            self.secrets.replaced(&server.spec().name, mark);
            tokio::spawn(async move { server.retire(drain).await });
        }
        Ok(())
    }

    /// Puts into force what of the section `audit` can be: the keys that wait for the next start.
    pub(crate) fn audit_by(&self, started: &AuditSettings, old: &AuditSettings, new: &AuditSettings) -> Vec<String> {
        let mut waiting = self.audit.apply(started, new);
        if old.witness_of != new.witness_of {
            match witness(new, self.data_dir.as_deref()) {
                Ok(witness) => self.hub.witnesses_by(witness),
                Err(error) => {
                    tracing::error!(%error, "the audit logs to be a witness of are as they were");
                    waiting.push("audit.witness_of".to_owned());
                }
            }
        }
        waiting
    }

    /// Whether clients are let in as `settings` say.
    pub(crate) fn lets_in_by(&self, settings: &AuthSettings) -> bool {
        *self.auth.lock().unwrap_or_else(PoisonError::into_inner) == *settings
    }

    /// What lets clients in as `settings` say, where that is another way than now. Another mode may want another listener: it
    /// waits for the next start, with all that stands beside it.
    fn logins(&self, settings: &AuthSettings) -> Option<Authenticator> {
        let in_force = self.auth.lock().unwrap_or_else(PoisonError::into_inner);
        (in_force.mode == settings.mode && *in_force != *settings).then(|| {
            let tokens = self.data_dir.as_deref().map(LocalTokens::of);
            let next = self.hub.authenticator().successor(settings, tokens);
            let method = self.keys.method(next.revocations().clone());
            next.with(method)
        })
    }

    /// Limits that did not change go on counting.
    fn throttle(&self, settings: &Settings) -> Result<Arc<Throttle>> {
        let mut last = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, throttle)) = last.as_ref().filter(|(of, _)| *of == settings.throttle) {
            let _unchanged = of;
            return Ok(Arc::clone(throttle));
        }
        let built = Throttle::build(&settings.throttle).map_err(|(key, why)| anyhow!("{key}: {why}"))?;
        let built = Arc::new(built);
        *last = Some((settings.throttle.clone(), Arc::clone(&built)));
        Ok(built)
    }

    /// One cache serves for as long as its settings stay: what it holds is forgotten at each change, what it counted is not.
    fn cache(&self, settings: &Settings) -> Result<Arc<Cache>> {
        let mut last = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cache)) = last.as_ref().filter(|(of, _)| *of == settings.cache) {
            return Ok(Arc::clone(cache));
        }
        let built = Cache::build(&settings.cache, Clock::running()).map_err(|(key, why)| anyhow!("{key}: {why}"))?;
        let built = Arc::new(built);
        *last = Some((settings.cache.clone(), Arc::clone(&built)));
        Ok(built)
    }

    /// Starts, side by side, the servers of which nothing is known yet; the others wait for their first call.
    pub(crate) fn wake_unknown(&self) {
        for server in self.hub.snapshot().servers() {
            if server.last_catalog().catalog.is_none() {
                server.wake(&Profile::hub(Version::LATEST));
            }
        }
    }
}
