//! The hub inside a command: servers are started for it, asked, and stopped again.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::Bytes;
use omni_hub::stage::{Channel, ClientHeaders, Received};
use omni_hub::{Hub, Reply, Scope, dispatch};
use omni_protocol::{Version, modern_request, request};
use omni_proxy::Profile;
use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::say::say_err;
use crate::config;
use crate::run::{self, Running};

/// Between two looks at who is still starting.
const LOOK: Duration = Duration::from_millis(100);
/// For servers to say what they offer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `work` on a hub with the configuration's servers, and stops them again.
pub(crate) fn with_hub<T, W>(context: &Context, work: W) -> Result<T>
where
    W: AsyncFnOnce(&Running) -> Result<T>,
{
    let (mut settings, _) = run::configuration(context)?;
    if std::env::var_os("OMNI_LOG").is_none() {
        // Servers' chatter would stand between a person and the answer; what matters is told in words.
        settings.log.level = config::LogLevel::Error;
    }
    let data_dir = context.data_dir(None, &settings);
    run::start_log(&settings);
    let runtime = run::runtime()?;
    let outcome = runtime.block_on(async {
        let mut stop_signals = run::StopSignals::install()?;
        let running = run::assemble(&settings, data_dir.as_deref())?;
        let outcome = tokio::select! {
            outcome = work(&running) => outcome,
            () = stop_signals.next() => Err(anyhow!("interrupted")),
        };
        running.hub.stop().await;
        running.close_secrets().await;
        running.audit.close();
        outcome
    });
    runtime.shutdown_background();
    outcome
}

/// Starts the servers (or the one called `only`) and waits until each has said what it offers, or why not.
pub(crate) async fn settle(hub: &Arc<Hub>, only: Option<&str>) -> Result<()> {
    let snapshot = hub.snapshot();
    let servers: Vec<_> =
        snapshot.servers().iter().filter(|s| only.is_none_or(|name| s.name().as_str() == name)).cloned().collect();
    let profile = Profile::hub(Version::LATEST);
    for server in &servers {
        server.wake(&profile);
    }
    let until = tokio::time::Instant::now() + PATIENCE;
    let shows = std::io::stderr().is_terminal();
    let mut shown = String::new();
    loop {
        let waiting: Vec<&str> = servers
            .iter()
            .filter(|s| {
                let state = s.catalog_now(&profile);
                !state.fresh && state.error.is_none()
            })
            .map(|s| s.name().as_str())
            .collect();
        let line = if waiting.is_empty() { String::new() } else { format!("starting {}…", waiting.join(", ")) };
        if shows && line != shown {
            eprint!("\r\x1b[2K{line}");
            shown = line;
        }
        if waiting.is_empty() || tokio::time::Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks the hub as a client of 2026-07-28; the JSON text of the result.
pub(crate) async fn ask(hub: &Arc<Hub>, method: &str, params: &str) -> Result<String> {
    hub.let_in(&hub.local(), Channel::Command);
    let info = concat!(r#"{"name":"omni-cli","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
    let params = modern_request(Some(params), info, "{}", None).context("the arguments are no JSON object")?;
    let received = Received {
        body: Bytes::from(request(1, method, &params)),
        scope: Scope::All,
        channel: Channel::Command,
        sender: hub.local(),
        session: None,
        calls: None,
        headers: ClientHeaders::default(),
    };
    let message = match dispatch(hub, received).await {
        Reply::Answer(answer) => {
            let (first, rest, _) = answer.into_parts();
            let mut last = first;
            if let Some(mut rest) = rest {
                while let Some((message, _)) = rest.next().await? {
                    show_progress(&last);
                    last = message;
                }
            }
            last
        }
        Reply::Failed { fault, .. } => bail!("{}", fault.public()),
        _ => bail!("the hub did not answer"),
    };
    let parsed = omni_protocol::Message::parse(message)?;
    match (parsed.result(), parsed.error()) {
        (Some(result), _) => Ok(result.to_owned()),
        (None, Some(error)) => {
            let error: Value = serde_json::from_str(error)?;
            bail!("{}", error["message"].as_str().unwrap_or("the server answered with an error"))
        }
        (None, None) => bail!("the hub did not answer"),
    }
}

fn show_progress(message: &Bytes) {
    let Ok(value) = serde_json::from_slice::<Value>(message) else { return };
    let params = &value["params"];
    let text = params["message"].as_str().or_else(|| params["data"].as_str()).unwrap_or_default();
    match (params["progress"].as_f64(), params["total"].as_f64()) {
        (Some(done), Some(total)) => say_err!("{done}/{total} {text}"),
        (Some(done), None) => say_err!("{done} {text}"),
        _ if !text.is_empty() => say_err!("{text}"),
        _ => {}
    }
}
