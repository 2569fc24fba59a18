//! How a conversation begins: which era a server speaks, and what it says of itself.

use bytes::Bytes;
use omni_protocol::{ErrorCode, Message, Method, Version, members, modern_request, notification, request};

use crate::error::LinkError;
use crate::hello::{HUB_INFO, Hello, Speaks};
use crate::outgoing::Outgoing;
use crate::profile::Profile;
use crate::transports::HttpAnswer;
use crate::wire::Wire;

/// A server that does not know `server/discover` may also not answer it at all (stdio, "Backward Compatibility").
const PROBE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

enum Outcome {
    Agreed(Hello),
    /// It answered, but not as a server of that era.
    OtherEra(String),
    /// It refused the revision, and named it among those that it supports.
    Again,
}

/// Begins the conversation in the era that is wanted, or in the other where the server does not speak it.
pub(crate) async fn greet(
    wire: &Wire,
    profile: &Profile,
    speaks: Speaks,
    next_id: &mut u64,
) -> Result<Hello, LinkError> {
    let wants_modern = profile.version == Version::V2026_07_28;
    let modern_first = if wants_modern { speaks.modern != Some(false) } else { speaks.legacy == Some(false) };
    let mut refused = Vec::new();
    for modern in [modern_first, !modern_first] {
        // Also the era that it did not speak before is tried: it may have been replaced by one that does.
        let outcome = if modern {
            match discover(wire, next_id).await? {
                // It named our revision when it refused it: it may take it now (Streamable HTTP, "Version Negotiation").
                Outcome::Again => discover(wire, next_id).await?,
                outcome => outcome,
            }
        } else {
            initialize(wire, profile, next_id).await?
        };
        match outcome {
            Outcome::Agreed(hello) => return Ok(hello),
            Outcome::OtherEra(why) => refused.push(why),
            Outcome::Again => refused.push("it refuses the revision that it names".to_owned()),
        }
    }
    Err(LinkError::Handshake(refused.join("; ")))
}

async fn discover(wire: &Wire, next_id: &mut u64) -> Result<Outcome, LinkError> {
    let id = take(next_id);
    let params = modern_request(None, HUB_INFO, "{}", None).map_err(|e| LinkError::Broken(e.to_string()))?;
    let body = Bytes::from(request(id, "server/discover", &params));
    if let Wire::Http(http) = wire {
        http.set_version(Version::V2026_07_28);
    }
    let answer = tokio::time::timeout(PROBE_TIMEOUT, ask(wire, id, Method::Discover, body)).await;
    let message = match answer {
        Err(_) => return Ok(Outcome::OtherEra("no answer to `server/discover`".to_owned())),
        Ok(Err(error)) => return refused_or(error),
        Ok(Ok(message)) => message,
    };
    let Some(result) = message.result() else {
        let error = message.error().unwrap_or_default();
        if message.error_code() == Some(ErrorCode::UNSUPPORTED_VERSION) && names_our_revision(error) {
            return Ok(Outcome::Again);
        }
        return Ok(Outcome::OtherEra(format!("`server/discover`: {error}")));
    };
    let found = members(result).map_err(|e| LinkError::Broken(format!("server/discover: {e}")))?;
    let text = |name: &str| found.iter().find(|(key, _)| key == name).map(|(_, value)| value.get().to_owned());
    let versions: Vec<String> =
        text("supportedVersions").and_then(|v| serde_json::from_str(&v).ok()).unwrap_or_default();
    if !versions.iter().any(|v| v == Version::V2026_07_28.as_str()) {
        return Ok(Outcome::OtherEra(format!("it supports {versions:?}")));
    }
    let server_info = text("_meta").and_then(|meta| {
        let inner = members(&meta).ok()?;
        inner.iter().find(|(key, _)| key == omni_protocol::meta_keys::SERVER_INFO).map(|(_, v)| v.get().to_owned())
    });
    Ok(Outcome::Agreed(Hello {
        version: Version::V2026_07_28,
        server_info: server_info.or_else(|| text("serverInfo")),
        capabilities: text("capabilities").unwrap_or_else(|| "{}".to_owned()),
        instructions: text("instructions").filter(|t| t.starts_with('"')),
    }))
}

/// Whether the error -32022 lists 2026-07-28 as supported.
fn names_our_revision(error: &str) -> bool {
    let error: serde_json::Value = serde_json::from_str(error).unwrap_or_default();
    let supported = error["data"]["supported"].as_array();
    supported.is_some_and(|versions| versions.iter().any(|version| version == Version::V2026_07_28.as_str()))
}

async fn initialize(wire: &Wire, profile: &Profile, next_id: &mut u64) -> Result<Outcome, LinkError> {
    let id = take(next_id);
    let version = if profile.version == Version::V2026_07_28 { Version::LATEST_LEGACY } else { profile.version };
    let (capabilities, info) = match &profile.session {
        Some(session) => (session.capabilities.as_str(), session.client_info.as_str()),
        None => (profile.capabilities.text(), HUB_INFO),
    };
    let params =
        format!(r#"{{"protocolVersion":"{}","capabilities":{capabilities},"clientInfo":{info}}}"#, version.as_str());
    let body = Bytes::from(request(id, "initialize", &params));
    let initialized = Bytes::from(notification("notifications/initialized", None));
    let answer = match wire {
        Wire::Http(http) => http.initialize(body, initialized.clone()).await.map(|(message, _)| message),
        Wire::Channel(_) => ask(wire, id, Method::Initialize, body).await,
    };
    let message = match answer {
        Err(error) => return refused_or(error),
        Ok(message) => message,
    };
    let Some(result) = message.result() else {
        return Ok(Outcome::OtherEra(format!("`initialize`: {}", message.error().unwrap_or_default())));
    };
    let found = members(result).map_err(|e| LinkError::Broken(format!("initialize: {e}")))?;
    let text = |name: &str| found.iter().find(|(key, _)| key == name).map(|(_, value)| value.get().to_owned());
    let agreed: Option<Version> =
        text("protocolVersion").and_then(|v| serde_json::from_str::<String>(&v).ok()).and_then(|v| Version::parse(&v));
    let Some(agreed) = agreed.filter(|v| v.era() == omni_protocol::Era::Legacy) else {
        // One that names 2026-07-28 here, or nothing, may still be one of the other era.
        return Ok(Outcome::OtherEra(format!(
            "it answered `initialize` with protocol version {}, which the hub does not speak there",
            text("protocolVersion").unwrap_or_else(|| "nothing".to_owned())
        )));
    };
    match wire {
        Wire::Http(http) => {
            http.set_version(agreed);
            http.send(initialized).await?;
        }
        Wire::Channel(channel) => channel.write(initialized).await?,
    }
    Ok(Outcome::Agreed(Hello {
        version: agreed,
        server_info: text("serverInfo"),
        capabilities: text("capabilities").unwrap_or_else(|| "{}".to_owned()),
        instructions: text("instructions").filter(|t| t.starts_with('"')),
    }))
}

/// A plain HTTP refusal may mean "not in this era"; everything else means that the server is not there.
fn refused_or(error: LinkError) -> Result<Outcome, LinkError> {
    match error {
        LinkError::Status { status: 400 | 404 | 405 | 406 | 415 | 422, .. } | LinkError::SessionLost => {
            Ok(Outcome::OtherEra(error.to_string()))
        }
        other => Err(other),
    }
}

async fn ask(wire: &Wire, id: u64, method: Method, body: Bytes) -> Result<Message, LinkError> {
    let outgoing = Outgoing { body, id, method, name: None, headers: Vec::new(), progress_token: None };
    match wire {
        Wire::Channel(channel) => {
            let call = channel.call(outgoing).await?;
            loop {
                let message = call.next().await?;
                if message.kind() == omni_protocol::MessageKind::Response {
                    return Ok(message);
                }
            }
        }
        Wire::Http(http) => match http.call(&outgoing).await? {
            HttpAnswer::One(message, _) => Ok(message),
            HttpAnswer::Stream(mut messages) => loop {
                let message = messages.next().await?;
                if message.kind() == omni_protocol::MessageKind::Response {
                    return Ok(message);
                }
            },
            HttpAnswer::Accepted => Err(LinkError::Broken("it accepted a request without answering it".to_owned())),
        },
    }
}

fn take(next_id: &mut u64) -> u64 {
    let id = *next_id;
    *next_id += 1;
    id
}
