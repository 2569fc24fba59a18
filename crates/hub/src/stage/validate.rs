//! `Received → Validated`: a well-formed message of a known revision, within bounds (rows VAL-1 and VAL-3).

use std::sync::{Arc, OnceLock};

use omni_protocol::{
    Message, MessageError, MessageKind, Method, ModernMeta, Params, RequestMeta, Version, scan_params,
};
use omni_proxy::{Capabilities, Profile};
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::channel::Channel;
use crate::session::Session;
use crate::stage::received::Received;

/// Bytes of a request's id.
pub(crate) const ID_BYTES_MAX: usize = 256;

/// Who speaks, in protocol terms.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A client of 2026-07-28: each request says of itself what it needs.
    Modern(ModernMeta),
    /// A client of an earlier revision in its session.
    Session(Arc<Session>),
    /// A client that begins with `initialize`.
    Handshake,
}

impl Caller {
    /// The client's session, if it has one.
    pub(crate) const fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Session(session) => Some(session),
            Self::Modern(_) | Self::Handshake => None,
        }
    }
}

/// A well-formed message. It passes through every stage, so it is one pointer wide.
#[derive(Debug)]
pub struct Validated(Box<Parts>);

/// What is known of a well-formed message.
#[derive(Debug)]
pub struct Parts {
    pub(super) received: Received,
    pub(super) message: Message,
    pub(super) params: Params,
    pub(super) caller: Caller,
    profile: OnceLock<Profile>,
}

impl std::ops::Deref for Validated {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Parts {
    pub(crate) const fn message(&self) -> &Message {
        &self.message
    }

    pub(crate) const fn params(&self) -> &Params {
        &self.params
    }

    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) const fn received(&self) -> &Received {
        &self.received
    }

    /// The method of a request or notification; responses have none.
    pub(crate) fn method(&self) -> Option<&Method> {
        self.message.method()
    }

    /// For whom links are wanted and catalogs shown.
    pub(crate) fn profile(&self) -> &Profile {
        self.profile.get_or_init(|| match &self.caller {
            Caller::Modern(meta) => Profile::new(Version::LATEST, Capabilities::of(&meta.client_capabilities)),
            Caller::Session(session) => session.link_profile(),
            Caller::Handshake => Profile::hub(Version::LATEST_LEGACY),
        })
    }

    /// JSON text of the arguments, or of none.
    pub(crate) fn arguments(&self) -> &str {
        let range = self.params.arguments_range.clone();
        let bytes = range.and_then(|range| self.message.bytes().get(range));
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("{}")
    }

    /// The revision that the client speaks.
    pub(crate) fn version(&self) -> Version {
        match &self.caller {
            Caller::Modern(_) => Version::V2026_07_28,
            Caller::Session(session) => session.version,
            Caller::Handshake => Version::LATEST_LEGACY,
        }
    }
}

impl Validated {
    /// Puts `body` in the place of the message: the same one, with parts of its parameters written anew. Everything after this
    /// sees what the server will see.
    pub(super) fn rewrite(&mut self, body: Vec<u8>) -> Result<(), Fault> {
        let body = bytes::Bytes::from(body);
        let message = Message::parse(body.clone()).map_err(|e| unparsable(&e))?;
        let params = Params::parse(&message).map_err(|e| Fault::new(FaultKind::InvalidParams, e.to_string()))?;
        (self.0.received.body, self.0.message, self.0.params) = (body, message, params);
        Ok(())
    }
}

/// Checks what came in.
///
/// # Errors
/// What is wrong with it, in the words and codes of the revision it belongs to.
pub fn validate(hub: &Hub, received: Received) -> Result<Validated, Fault> {
    let message = Message::parse(received.body.clone()).map_err(|e| unparsable(&e))?;
    scan_params(&message, &hub.screen().bounds)
        .map_err(|e| Fault::new(FaultKind::InvalidParams, format!("params: {e}")))?;
    if message.id().is_some_and(|id| id.len() > ID_BYTES_MAX) {
        let why = format!("an id has at most {ID_BYTES_MAX} bytes");
        return Err(Fault::new(FaultKind::InvalidRequest, why));
    }
    let params = Params::parse(&message).map_err(|e| Fault::new(FaultKind::InvalidParams, e.to_string()))?;
    names_are_plain(hub, &params)?;
    let caller = caller(&received, &message, &params)?;
    Ok(Validated(Box::new(Parts { received, message, params, caller, profile: OnceLock::new() })))
}

/// No name or URI holds a character that shows nothing, turns text around or controls a terminal (row VAL-5).
fn names_are_plain(hub: &Hub, params: &Params) -> Result<(), Fault> {
    for (member, name) in [("name", &params.name), ("uri", &params.uri)] {
        if let Some(class) = name.as_deref().and_then(|name| hub.screen().dangerous_name(name)) {
            let why = format!("params.{member} holds {}, which no name does", class.name());
            return Err(Fault::new(FaultKind::InvalidParams, why));
        }
    }
    Ok(())
}

fn unparsable(error: &MessageError) -> Fault {
    let kind = match error {
        MessageError::NotJson(_) => FaultKind::Unparsable,
        MessageError::Batch | MessageError::Invalid(_) => FaultKind::InvalidRequest,
    };
    Fault::new(kind, error.to_string())
}

fn caller(received: &Received, message: &Message, params: &Params) -> Result<Caller, Fault> {
    let meta = params.meta.as_ref();
    let header = received.headers.version.as_deref();
    let header_version = header.and_then(Version::parse);
    let says_modern = meta.is_some_and(RequestMeta::is_modern)
        || header_version == Some(Version::V2026_07_28)
        || (header.is_some() && header_version.is_none() && received.session.is_none());
    if says_modern && message.kind() != MessageKind::Response {
        return modern(received, message, params);
    }
    match (&received.session, message.method()) {
        (_, Some(Method::Initialize)) if message.kind() == MessageKind::Request => Ok(Caller::Handshake),
        (Some(session), _) => {
            if header.is_some() && header_version.is_none() {
                return Err(unsupported(header.unwrap_or_default()));
            }
            if let Some(method) = message.method().filter(|m| m.is_modern_only()) {
                let why = format!(
                    "`{}` came with 2026-07-28, and this session speaks {}",
                    method.as_str(),
                    session.version.as_str()
                );
                return Err(Fault::new(FaultKind::MethodNotFound, why));
            }
            Ok(Caller::Session(Arc::clone(session)))
        }
        (None, Some(method)) if method.is_modern_only() => Err(missing_meta("_meta")),
        (None, _) => Err(Fault::new(
            FaultKind::SessionRequired,
            "no session: begin with `initialize`, or send the `_meta` that 2026-07-28 requires with each request",
        )),
    }
}

fn modern(received: &Received, message: &Message, params: &Params) -> Result<Caller, Fault> {
    let is_request = message.kind() == MessageKind::Request;
    let meta = params.meta.as_ref();
    if received.channel == Channel::Http && is_request {
        let body = meta.and_then(|m| m.protocol_version.as_deref());
        match (received.headers.version.as_deref(), body) {
            (_, None) => {}
            (None, Some(_)) => return Err(mismatch("the header MCP-Protocol-Version is missing")),
            (Some(header), Some(body)) if header != body => {
                return Err(mismatch(&format!(
                    "MCP-Protocol-Version is `{header}`, the body's protocolVersion `{body}`"
                )));
            }
            _ => {}
        }
    }
    if !is_request {
        return Ok(Caller::Modern(complete_or_empty(meta)));
    }
    let meta = meta.ok_or_else(|| missing_meta("_meta"))?;
    let version = meta.protocol_version.as_deref().ok_or_else(|| missing_meta("protocolVersion"))?;
    if version != Version::V2026_07_28.as_str() {
        return Err(unsupported(version));
    }
    let capabilities = meta.client_capabilities.as_deref().ok_or_else(|| missing_meta("clientCapabilities"))?;
    if !capabilities.starts_with('{') {
        return Err(Fault::new(FaultKind::MissingMeta, "_meta: clientCapabilities must be an object"));
    }
    if received.channel == Channel::Http {
        headers_mirror_body(received, message, params)?;
    }
    if let Some(method) = message.method().filter(|m| m.is_legacy_only()) {
        return Err(Fault::new(FaultKind::MethodNotFound, format!("`{}` is not part of 2026-07-28", method.as_str())));
    }
    Ok(Caller::Modern(complete_or_empty(Some(meta))))
}

fn complete_or_empty(meta: Option<&RequestMeta>) -> ModernMeta {
    ModernMeta {
        client_info: meta.and_then(|m| m.client_info.clone()),
        client_capabilities: meta.and_then(|m| m.client_capabilities.clone()).unwrap_or_else(|| "{}".to_owned()),
        log_level: meta.and_then(|m| m.log_level.clone()),
    }
}

/// Streamable HTTP of 2026-07-28, "Server Validation".
fn headers_mirror_body(received: &Received, message: &Message, params: &Params) -> Result<(), Fault> {
    let method = message.method().map_or("", Method::as_str);
    match received.headers.method.as_deref() {
        None => return Err(mismatch("the header Mcp-Method is missing")),
        Some(header) if header != method => {
            return Err(mismatch(&format!("Mcp-Method is `{header}`, the body's method `{method}`")));
        }
        Some(_) => {}
    }
    let named = match message.method() {
        Some(Method::ToolsCall | Method::PromptsGet) => params.name.as_deref(),
        Some(Method::ResourcesRead) => params.uri.as_deref(),
        Some(method) if method.is_of_task() && !method.is_legacy_only() => params.task_id.as_deref(),
        _ => return Ok(()),
    };
    match (&received.headers.name, named) {
        (_, None) => Ok(()),
        (None, Some(_)) => Err(mismatch("the header Mcp-Name is missing")),
        (Some(None), Some(_)) => Err(mismatch("the header Mcp-Name holds no valid Base64 of UTF-8")),
        (Some(Some(header)), Some(named)) if header != named => {
            Err(mismatch(&format!("Mcp-Name is `{header}`, the body names `{named}`")))
        }
        _ => Ok(()),
    }
}

fn mismatch(why: &str) -> Fault {
    Fault::new(FaultKind::HeaderMismatch, format!("header mismatch: {why}"))
}

fn missing_meta(what: &str) -> Fault {
    let why =
        format!("params: `{what}` is missing; 2026-07-28 requires `_meta` with protocolVersion and clientCapabilities");
    Fault::new(FaultKind::MissingMeta, why)
}

fn unsupported(requested: &str) -> Fault {
    let requested = serde_json::Value::from(requested);
    Fault::new(FaultKind::UnsupportedVersion, format!("protocol version {requested} is not supported"))
        .with_data(format!(r#"{{"supported":["{}"],"requested":{requested}}}"#, Version::V2026_07_28.as_str()))
}
