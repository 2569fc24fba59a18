//! What the hub says of itself: name, capabilities, instructions; at `/mcp/{server}`, that server's.

use std::sync::Arc;

use omni_protocol::{Era, Version};
use omni_proxy::{Catalog, Profile, Server};
use omni_screen::Described;
use omni_types::{Fault, FaultKind, Principal};

use crate::Hub;
use crate::own_tools::OwnTool;
use crate::scope::Scope;
use crate::shown::Shown;
use crate::task_id::EXTENSION as TASKS;

/// Characters of one server's instructions that are passed on.
const INSTRUCTIONS_MAX: usize = 8_000;

/// JSON text of the hub's name and version.
pub(crate) const HUB_INFO: &str =
    concat!(r#"{"name":"omni-mcp-hub","title":"Omni MCP Hub","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// MCP Apps: what a tool shows is read as a resource.
const APPS: &str = "io.modelcontextprotocol/ui";

/// JSON texts of what an endpoint says of itself.
pub(crate) struct SelfDescription {
    pub(crate) server_info: String,
    pub(crate) capabilities: String,
    pub(crate) instructions: Option<String>,
}

/// What `scope` says of itself to a client of `profile`.
pub(crate) async fn describe(
    hub: &Arc<Hub>,
    scope: &Scope,
    principal: &Principal,
    profile: &Profile,
) -> Result<SelfDescription, Fault> {
    match scope {
        Scope::All | Scope::Profile(_) => {
            hub.wake(scope, profile);
            let shown = hub.shown(scope, principal);
            let told = match &shown {
                Shown::Profile(profile) => profile.text.clone(),
                Shown::Everything => String::new(),
                Shown::Gone(name) => {
                    format!("The profile `{name}` that applies is not there any more: nothing is shown.\n")
                }
                Shown::Unknown => "Which profile applies cannot be read: nothing is shown.\n".to_owned(),
            };
            let mut servers = hub.servers(scope);
            servers.retain(|server| shown.shows_server(server.name().as_str()));
            let has_own = OwnTool::of(scope, hub.has_profiles()).next().is_some();
            Ok(screened(hub, of_all(&servers, profile, (told, has_own))))
        }
        Scope::One(name) => {
            hub.settle(scope, profile).await;
            let snapshot = hub.snapshot();
            let server = snapshot.server(name.as_str());
            let server =
                server.ok_or_else(|| Fault::new(FaultKind::SessionNotFound, format!("there is no server `{name}`")))?;
            let state = server.catalog_now(profile);
            match (&state.catalog, &state.error) {
                (Some(catalog), _) => Ok(screened(hub, of_one(catalog))),
                (None, Some(error)) => Err(server.fault(error)),
                (None, None) => {
                    Err(Fault::new(FaultKind::ServerTimeout, format!("server `{name}` is still starting; try again")))
                }
            }
        }
    }
}

/// Instructions are read by models: no hidden words in them.
fn screened(hub: &Hub, mut own: SelfDescription) -> SelfDescription {
    let Some(instructions) = own.instructions.take() else { return own };
    own.instructions = match hub.screen().described("", &instructions) {
        None => None,
        Some(Described::AsItIs) => Some(instructions),
        Some(Described::Changed(text)) => Some(text),
    };
    own
}

fn of_one(catalog: &Catalog) -> SelfDescription {
    let hello = &catalog.hello;
    SelfDescription {
        server_info: hello.server_info.clone().unwrap_or_else(|| HUB_INFO.to_owned()),
        capabilities: hello.capabilities.clone(),
        instructions: hello.instructions.clone(),
    }
}

/// What any server has, as far as is known; where a server has not said yet, what the hub could carry for it. `text` is
/// what a profile tells, which stands before all servers' instructions, as it is.
fn of_all(servers: &[Arc<Server>], profile: &Profile, (mut text, has_own): (String, bool)) -> SelfDescription {
    let states: Vec<_> = servers.iter().map(|server| (server.name(), server.catalog_now(profile))).collect();
    let unknown = states.iter().any(|(_, state)| state.catalog.is_none());
    let has = |name: &str| {
        unknown || states.iter().any(|(_, s)| s.catalog.as_ref().is_some_and(|c| c.capability(name).is_some()))
    };
    let mut capabilities = Vec::new();
    for (name, value) in [
        ("tools", r#"{"listChanged":true}"#),
        ("prompts", r#"{"listChanged":true}"#),
        ("resources", r#"{"listChanged":true,"subscribe":true}"#),
        ("completions", "{}"),
        ("logging", "{}"),
    ] {
        if has(name) || (has_own && name == "tools") {
            capabilities.push(format!(r#""{name}":{value}"#));
        }
    }
    if profile.version == Version::V2025_11_25 && has("tasks") {
        // A common list of them there is not: each server's belong to each server.
        capabilities.push(r#""tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}"#.to_owned());
    }
    capabilities.extend(extensions(states.iter().filter_map(|(_, s)| s.catalog.as_deref()), profile));
    for (name, state) in &states {
        let own = state.catalog.as_ref().and_then(|c| c.hello.instructions.as_deref());
        let Some(own) = own.and_then(|t| serde_json::from_str::<String>(t).ok()) else { continue };
        let kept: String = own.chars().take(INSTRUCTIONS_MAX).collect();
        text.push_str(&format!("{}# {name}\n\n{}\n", if text.is_empty() { "" } else { "\n" }, kept.trim()));
    }
    SelfDescription {
        server_info: HUB_INFO.to_owned(),
        capabilities: format!("{{{}}}", capabilities.join(",")),
        instructions: (!text.is_empty()).then(|| serde_json::Value::from(text).to_string()),
    }
}

/// Extensions whose messages the hub can lead to the server that has them, with the settings of the first that has any.
fn extensions<'a>(catalogs: impl Iterator<Item = &'a Catalog>, profile: &Profile) -> Option<String> {
    let carried: &[&str] = match profile.version.era() {
        Era::Modern => &[TASKS, APPS],
        Era::Legacy => &[APPS],
    };
    let mut found: Vec<(&str, String)> = Vec::new();
    for own in catalogs.filter_map(|catalog| catalog.capability("extensions")) {
        let declared = omni_protocol::members(&own).unwrap_or_default();
        for &name in carried {
            if let Some((_, settings)) = declared.iter().find(|(key, _)| key == name)
                && !found.iter().any(|(known, _)| *known == name)
            {
                found.push((name, settings.get().to_owned()));
            }
        }
    }
    let members: Vec<String> = found.iter().map(|(name, settings)| format!(r#""{name}":{settings}"#)).collect();
    (!members.is_empty()).then(|| format!(r#""extensions":{{{}}}"#, members.join(",")))
}
