//! What the two sides of a conversation say of themselves.

use omni_protocol::Version;
use serde::Deserialize;

/// What a server said of itself. JSON texts, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Revision of the conversation.
    pub version: Version,
    /// Name and version.
    pub server_info: Option<String>,
    /// Capabilities.
    pub capabilities: String,
    /// Instructions for the model, a JSON string.
    pub instructions: Option<String>,
}

impl Hello {
    /// Whether single resources can be subscribed to.
    #[must_use]
    pub fn offers_subscriptions(&self) -> bool {
        #[derive(Deserialize)]
        struct Capabilities {
            #[serde(default)]
            resources: Resources,
        }
        #[derive(Deserialize, Default)]
        struct Resources {
            #[serde(default)]
            subscribe: bool,
        }
        serde_json::from_str::<Capabilities>(&self.capabilities).is_ok_and(|found| found.resources.subscribe)
    }
}

/// What is known of the eras a server speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Speaks {
    pub(crate) modern: Option<bool>,
    pub(crate) legacy: Option<bool>,
    /// Streamable HTTP was refused, and HTTP+SSE of 2024-11-05 found at the same address.
    pub(crate) sse: bool,
}

/// When it was last asked which era a server speaks; whoever doubts while it is being asked waits for the answer.
pub(crate) type Doubts = tokio::sync::Mutex<Option<tokio::time::Instant>>;

/// JSON text of the hub's name and version.
pub(crate) const HUB_INFO: &str = concat!(r#"{"name":"omni-mcp-hub","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
