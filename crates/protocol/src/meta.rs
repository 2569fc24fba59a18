//! `_meta`: what the protocol itself keeps there (basic/index of 2026-07-28, "General fields: `_meta`").

use std::ops::Range;

use serde_json::value::RawValue;

use crate::glance::is_plain_string;
use crate::message::range_of;
use crate::object::members;
use crate::params_error::{ParamsError, without_position};

/// Keys of `_meta`.
pub mod keys {
    /// Revision of this request (2026-07-28).
    pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    /// Who the client says it is (2026-07-28).
    pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    /// What the client can do (2026-07-28).
    pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    /// Wanted log level (2026-07-28).
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    /// Who the server says it is (2026-07-28).
    pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
    /// Which `subscriptions/listen` a notification belongs to (2026-07-28).
    pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
    /// The trace that the request is a part of (W3C Trace Context).
    pub const TRACEPARENT: &str = "traceparent";
    /// Token of progress notifications.
    pub const PROGRESS_TOKEN: &str = "progressToken";
    /// The hub's own: servers that are missing from a list, and why.
    pub const ABSENT_SERVERS: &str = "dev.omni-mcp-hub/absentServers";
    /// The hub's own: a result was kept and is given again; how old it is, and whether it is past its time.
    pub const KEPT: &str = "dev.omni-mcp-hub/kept";
}

/// What the hub reads of a request's `_meta`.
#[derive(Debug, Clone, Default)]
pub struct RequestMeta {
    /// Where the object lies in the message.
    pub range: Range<usize>,
    /// Revision, if it is a string.
    pub protocol_version: Option<String>,
    /// JSON text of the client's information.
    pub client_info: Option<String>,
    /// JSON text of the client's capabilities.
    pub client_capabilities: Option<String>,
    /// Wanted log level.
    pub log_level: Option<String>,
    /// The trace that the request is a part of (W3C Trace Context).
    pub traceparent: Option<String>,
    /// JSON text of the progress token.
    pub progress_token: Option<String>,
    /// Where the progress token lies in the message.
    pub progress_token_range: Option<Range<usize>>,
}

/// The `_meta` that 2026-07-28 requires, found complete.
#[derive(Debug, Clone)]
pub struct ModernMeta {
    /// JSON text of the client's information, if it gave any.
    pub client_info: Option<String>,
    /// JSON text of the client's capabilities.
    pub client_capabilities: String,
    /// Wanted log level.
    pub log_level: Option<String>,
}

impl RequestMeta {
    pub(crate) fn parse(whole: &[u8], value: &RawValue) -> Result<Self, ParamsError> {
        let found = members(value.get()).map_err(|e| ParamsError(format!("params._meta: {}", without_position(&e))))?;
        let mut meta = Self { range: range_of(whole, value.get()), ..Self::default() };
        for (at, (key, member)) in found.iter().enumerate() {
            if found[..at].iter().any(|(earlier, _)| earlier == key) {
                return Err(ParamsError(format!("params._meta: member `{key}` stands there twice")));
            }
            meta.read(key, member.get(), &range_of(whole, member.get()));
        }
        Ok(meta)
    }

    /// Takes note of one member.
    pub(crate) fn read(&mut self, name: &str, value: &str, place: &Range<usize>) {
        let text = || match is_plain_string(value.as_bytes()) {
            true => Some(value[1..value.len() - 1].to_owned()),
            false => serde_json::from_str(value).ok(),
        };
        match name {
            keys::PROTOCOL_VERSION => self.protocol_version = text(),
            keys::CLIENT_INFO => self.client_info = Some(value.to_owned()),
            keys::CLIENT_CAPABILITIES => self.client_capabilities = Some(value.to_owned()),
            keys::LOG_LEVEL => self.log_level = text(),
            keys::TRACEPARENT => self.traceparent = text(),
            keys::PROGRESS_TOKEN => {
                self.progress_token = Some(value.to_owned());
                self.progress_token_range = Some(place.clone());
            }
            _ => {}
        }
    }

    /// Whether a client of 2026-07-28 wrote it.
    #[must_use]
    pub const fn is_modern(&self) -> bool {
        self.protocol_version.is_some() || self.client_capabilities.is_some() || self.client_info.is_some()
    }
}
