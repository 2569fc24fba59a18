//! `initialize`: a client of an earlier revision opens its session.

use std::borrow::Cow;
use std::sync::Arc;

use omni_audit::{Event, EventKind, Origin, Outcome, Who};
use omni_protocol::{Version, response};
use omni_proxy::{Capabilities, Profile, SessionProfile};
use omni_types::{Fault, FaultKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Hub;
use crate::flow::hello::describe;
use crate::reply::Reply;
use crate::session::{Session, Sessions};
use crate::stage::{Validated, authenticate};

/// Bytes of what a client says of itself.
const PROFILE_BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted<'a> {
    #[serde(borrow)]
    protocol_version: Cow<'a, str>,
    #[serde(borrow, default)]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow, default)]
    client_info: Option<&'a RawValue>,
}

/// Opens the session. No server is waited for at `/mcp`; at `/mcp/{server}` only that one.
pub(crate) async fn initialize(hub: &Arc<Hub>, validated: Validated) -> Result<Reply, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let validated = authenticated.validated();
    let params = validated.message().params().unwrap_or("{}");
    let invalid = |why: String| Fault::new(FaultKind::InvalidParams, format!("params: {why}"));
    let wanted: Wanted<'_> = serde_json::from_str(params).map_err(|e| invalid(e.to_string()))?;
    if params.len() > PROFILE_BYTES_MAX {
        return Err(invalid(format!("more than {PROFILE_BYTES_MAX} bytes")));
    }
    let capabilities = wanted.capabilities.map_or("{}", RawValue::get);
    let client_info = wanted.client_info.map_or(r#"{"name":"unknown","version":"0"}"#, RawValue::get);
    if !capabilities.starts_with('{') || !client_info.starts_with('{') {
        return Err(invalid("capabilities and clientInfo must be objects".to_owned()));
    }
    let version = Version::negotiate(&wanted.protocol_version);
    let scope = validated.received().scope.clone();
    let about =
        describe(hub, &scope, authenticated.principal(), &Profile::new(version, Capabilities::of(capabilities)))
            .await?;
    let profile = SessionProfile {
        id: Sessions::fresh_id().map_err(|_| Fault::new(FaultKind::Internal, "no randomness"))?,
        capabilities: capabilities.to_owned(),
        client_info: client_info.to_owned(),
    };
    let mut session = Session::new(authenticated.principal().clone(), version, scope, profile);
    session.address = validated.received().sender.address();
    // On one connection the calls of the session are those of the connection.
    if let Some(calls) = &validated.received().calls {
        session.calls = Arc::clone(calls);
    }
    let session = Arc::new(session);
    if !hub.sessions().add(&session) {
        let why = format!("{} sessions are open, which is all the hub may have", hub.limits().sessions_max);
        return Err(Fault::new(FaultKind::Busy, why));
    }
    let instructions = about.instructions.map(|text| format!(r#","instructions":{text}"#)).unwrap_or_default();
    let origin = Origin {
        address: session.address,
        transport: Some(validated.received().channel.transport()),
        revision: Some(version.as_str()),
        client_info: Some(Arc::clone(&session.client_info)),
    };
    let event = Event::new(EventKind::Authentication, "session/open", Outcome::Success).from(origin);
    hub.audit().record(Who::from(&session.principal), event);
    let result = format!(
        r#"{{"protocolVersion":"{}","capabilities":{},"serverInfo":{}{instructions}}}"#,
        version.as_str(),
        about.capabilities,
        about.server_info
    );
    let body = response(validated.message().id().unwrap_or("null"), &result).into();
    Ok(Reply::Opened { session, body })
}
