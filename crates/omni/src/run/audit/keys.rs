//! Keys of the audit log that the Secret Manager's providers keep: asked for when the log is opened, and written nowhere.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use omni_audit::{Audit, FileKek, KeyElsewhere, KeyEncryption};
use omni_secrets::{Around, Redactor, Requester, Resolver, Template};

use crate::config::Settings;

/// Where the reference stands.
const PLACE: &str = "audit.keys.encryption";
const BEFORE: &str = "audit.keys.encryption_before";

/// The key of `settings`, where it is kept elsewhere than beside the log. What is given out is masked wherever the hub masks.
///
/// # Errors
/// When it cannot be had, or is none.
pub(crate) fn elsewhere(
    settings: &Settings,
    data_dir: Option<&Path>,
    redactor: &Arc<Redactor>,
) -> Result<Option<KeyElsewhere>> {
    let Some(keys) = &settings.audit.keys else {
        return Ok(None);
    };
    let variables = std::env::vars_os();
    let variables = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let around = Around { variables: variables.collect(), data_dir: data_dir.map(Path::to_owned) };
    // There is no lasting log yet, so that it was asked for stands in the hub's own.
    let resolver = Resolver::new(&settings.secrets, &around, Audit::to_log(), Arc::clone(redactor));
    let ask = |text: &str, place: &'static str| -> Result<Arc<dyn KeyEncryption>> {
        let template = Template::parse(text).map_err(|error| anyhow!("{place}: {error}"))?;
        let held = wait(resolver.fill(&template, &Requester::Hub(place)))?;
        let held = held.map_err(|error| anyhow!("{place}: the encryption key cannot be had: {error}"))?;
        Ok(Arc::new(FileKek::parse(held.expose(), place)?))
    };
    let before = keys.encryption_before.as_deref().map(|text| ask(text, BEFORE)).transpose()?;
    Ok(Some(KeyElsewhere { current: ask(&keys.encryption, PLACE)?, before }))
}

/// Waits for a provider: the log is opened before anything else goes on, with a runtime of its own.
fn wait<T: Send>(asked: impl Future<Output = T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            Ok(runtime.context("the runtime cannot be started")?.block_on(asked))
        });
        asking.join().map_err(|_| anyhow!("asking for a key failed"))?
    })
}
