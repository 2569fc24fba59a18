//! `tools/call` of one of the hub's own tools: profiles listed, given and applied (the founding document's second flow).

use std::sync::Arc;

use omni_audit::Who;
use omni_auth::{Arguments, Decision, Denial};
use omni_profiles::{Library, Profile};
use omni_protocol::Era;
use omni_screen::Described;
use omni_types::{Fault, FaultKind};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Hub;
use crate::own_tools::OwnTool;
use crate::shown::{Shown, decide};
use crate::stage::{Admitted, Authenticated, Sanitized, around, refused};

/// What any of them is called with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Given {
    name: Option<String>,
    #[serde(rename = "profileName")]
    profile_name: Option<String>,
    #[serde(rename = "filePath")]
    file_path: Option<String>,
    #[serde(rename = "autoApply")]
    auto_apply: Option<bool>,
}

/// The tool of the hub's own that is called, if it is one.
pub(crate) fn own_tool(hub: &Hub, admitted: &Admitted) -> Option<OwnTool> {
    let validated = admitted.authenticated().validated();
    let name = validated.params().name.as_deref()?;
    OwnTool::of(&validated.received().scope, hub.has_profiles()).find(|tool| tool.name() == name)
}

/// Answers it, if policy allows it.
pub(crate) async fn use_own_tool(hub: &Arc<Hub>, admitted: Admitted, tool: OwnTool) -> Result<Sanitized, Fault> {
    let authenticated = admitted.authenticated();
    let given = permitted(hub, authenticated, tool)?;
    let (validated, principal) = (authenticated.validated(), authenticated.principal());
    let scope = &validated.received().scope;
    let library = hub.profiles().unwrap_or_default();
    let applied = hub.shown(scope, principal);
    let texts = match tool {
        OwnTool::List | OwnTool::ListConfigs => vec![listed(&library, &applied, tool).to_string()],
        OwnTool::Get => {
            let name = given.name.ok_or_else(|| unfit("`name` is missing".to_owned()))?;
            whole(find(&library, &name)?)
        }
        OwnTool::Applied => match &applied {
            Shown::Profile(profile) => whole(profile),
            Shown::Gone(name) => {
                vec![format!("The profile `{name}` applies and is not there any more: nothing is shown.")]
            }
            Shown::Unknown => vec!["Which profile applies cannot be read: nothing is shown.".to_owned()],
            Shown::Everything => vec!["No configuration is currently applied.".to_owned()],
        },
        OwnTool::Apply | OwnTool::ApplyConfig => Box::pin(apply(hub, authenticated, &library, tool, given)).await?,
    };
    let content: Vec<String> = texts
        .iter()
        .map(|text| format!(r#"{{"type":"text","text":{}}}"#, screened(hub, &Value::from(text.as_str()).to_string())))
        .collect();
    let kind = if validated.version().era() == Era::Modern { r#""resultType":"complete","# } else { "" };
    let result = format!(r#"{{{kind}"content":[{}]}}"#, content.join(","));
    Ok(Sanitized::own(validated.message().id().unwrap_or("null"), &result))
}

/// What it is called with, if policy allows that.
fn permitted(hub: &Hub, authenticated: &Authenticated, tool: OwnTool) -> Result<Given, Fault> {
    let validated = authenticated.validated();
    let range = validated.params().arguments_range.clone();
    let bytes = range.and_then(|range| validated.message().bytes().get(range));
    let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let around = around(hub, validated);
    let about = omni_auth::Access {
        arguments: Arguments::Given(text),
        ..tool.about(authenticated.principal(), around.surroundings())
    };
    let denial = match decide(hub.snapshot().policy(), &Shown::Everything, &about) {
        Decision::Allow => {
            let given = serde_json::from_str(text.unwrap_or("{}"));
            return given.map_err(|error| unfit(format!("arguments: {error}")));
        }
        Decision::Deny(denial) => denial,
        Decision::Approve(ask) => Arc::new(Denial {
            policy: Some(Arc::clone(&ask.policy)),
            reason: format!("{} wants a person to approve it, which is not asked for the hub's own tools", ask.policy),
            needed: "have the policy changed".to_owned(),
        }),
    };
    Err(refused(hub, &about, &denial))
}

async fn apply(
    hub: &Arc<Hub>,
    authenticated: &Authenticated,
    library: &Library,
    tool: OwnTool,
    given: Given,
) -> Result<Vec<String>, Fault> {
    let principal = authenticated.principal();
    let wanted = given.name.or(given.profile_name);
    let profile = match (wanted, given.file_path) {
        (Some(name), _) => Some(Arc::clone(find(library, &name)?)),
        (None, Some(path)) => Some(Arc::clone(by_file(library, &path)?)),
        (None, None) => None,
    };
    if tool == OwnTool::ApplyConfig && profile.is_none() {
        return Err(unfit("`profileName` or `filePath` is missing".to_owned()));
    }
    let only_read = given.auto_apply == Some(false);
    if only_read {
        let nothing = || vec!["Nothing was named, and nothing changed.".to_owned()];
        return Ok(profile.as_ref().map_or_else(nothing, |profile| whole(profile)));
    }
    let chosen = profile.as_ref().map(|profile| &profile.name);
    hub.choose_profile(principal, chosen).await.map_err(|error| {
        Fault::new(FaultKind::Internal, "the choice could not be kept, and nothing changed")
            .with_private(error.to_string())
    })?;
    let Some(profile) = profile else {
        hub.note_no_profile(Who::from(principal));
        return Ok(vec!["No profile applies to you any more.".to_owned()]);
    };
    hub.note_profile("profiles/apply", Who::from(principal), &profile);
    let told = match tool {
        OwnTool::ApplyConfig => format!(
            "Successfully loaded CLAUDE.md configuration from {} as profile '{}' (SHA-256 {}). It applies to you at /mcp.",
            // Where it lies is the operator's business.
            profile.file.file_name().unwrap_or_default().display(),
            profile.name,
            profile.hash()
        ),
        _ => format!(
            "The profile `{}` (SHA-256 {}) applies to you at /mcp from now on. It says:",
            profile.name,
            profile.hash()
        ),
    };
    Ok(vec![told, profile.text.clone()])
}

fn listed(library: &Library, applied: &Shown, tool: OwnTool) -> Value {
    let of = |profile: &Arc<Profile>| {
        json!({
            "name": profile.name.as_str(),
            "description": profile.description,
            "sha256": profile.hash(),
            "narrows": profile.offer.to_json(),
            "applied": matches!(applied, Shown::Profile(one) if one.name == profile.name),
        })
    };
    let all: Vec<Value> = library.profiles().map(of).collect();
    let count = all.len();
    match tool {
        OwnTool::ListConfigs => json!({
            "loaded": all, "available": [], "summary": { "totalLoaded": count, "totalAvailable": 0, "total": count },
        }),
        _ => json!({ "profiles": all }),
    }
}

/// What it is, and its text as it stands.
fn whole(profile: &Profile) -> Vec<String> {
    let bases: Vec<&str> = profile.bases.iter().map(|base| base.as_str()).collect();
    let about = json!({
        "name": profile.name.as_str(), "description": profile.description, "sha256": profile.hash(),
        "narrows": profile.offer.to_json(), "bases": bases,
    });
    vec![about.to_string(), profile.text.clone()]
}

fn find<'a>(library: &'a Library, name: &str) -> Result<&'a Arc<Profile>, Fault> {
    library.find(name).ok_or_else(|| {
        let known: Vec<&str> = library.profiles().map(|profile| profile.name.as_str()).collect();
        unfit(format!("there is no profile `{name}`; there are: {}", known.join(", ")))
    })
}

/// Only files that are profiles are found: no path reads another one.
fn by_file<'a>(library: &'a Library, path: &str) -> Result<&'a Arc<Profile>, Fault> {
    let wanted = path.trim_start_matches("./");
    let mut found = library.profiles().filter(|profile| !wanted.is_empty() && profile.file.ends_with(wanted));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(unfit(format!("several profiles have a file `{path}`: name one by `profileName`"))),
        (None, _) => Err(unfit(format!("no profile has the file `{path}`: list_profiles says which there are"))),
    }
}

/// What a model reads holds no hidden words. `json` is a string's JSON text.
fn screened(hub: &Hub, json: &str) -> String {
    match hub.screen().described("", json) {
        Some(Described::AsItIs) => json.to_owned(),
        Some(Described::Changed(text)) => text,
        None => Value::from("this text holds characters that may not leave").to_string(),
    }
}

fn unfit(why: String) -> Fault {
    Fault::new(FaultKind::UnfitArguments, why)
}
