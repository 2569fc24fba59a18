//! The section `throttle` of `omni.yaml` as it is written.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Failed logins of one address. Enough for a house of clients behind one address whose tokens end at the same time.
const FAILED_LOGINS: &str = "30/min";
/// So many at once.
const FAILED_LOGINS_BURST: u32 = 60;

/// How much may be asked for, and by whom (GCRA, the generic cell rate algorithm). What is not said is not limited, but
/// `gateway.connections_max`, the calls in flight and each server's `bulkhead` always hold. Who asks for more is
/// answered 429 with `Retry-After`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ThrottleSettings {
    /// Requests to the hub, all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overall: Option<Rate>,
    /// Requests from one address; of IPv6, one /64 network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Rate>,
    /// Requests of one principal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Rate>,
    /// Calls of one principal in flight at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_calls_max: Option<usize>,
    /// Calls to one server, all principals together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Rate>,
    /// Calls of one principal to tools, prompts and resources by pattern (`server:name`, with `*` and `?`): each that fits
    /// counts.
    #[schemars(with = "BTreeMap<String, Rate>")]
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub tools: IndexMap<String, Rate>,
    /// Logins from one address (of IPv6, one /64 network) that fail. Further ones are answered 429 whatever was wrong with
    /// them; a login that is good is let in all the same, and so is who showed no token.
    pub failed_logins: Rate,
}

/// So many in so long, and how many at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many in how long, e.g. `100/s`, `600/min`, `1000/h`.
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,8}/(s|min|h)$"))]
    pub rate: String,
    /// How many may come at once after a quiet time; by default as many as `rate` names.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self {
            overall: None,
            address: None,
            principal: None,
            principal_calls_max: None,
            server: None,
            tools: IndexMap::new(),
            failed_logins: Rate { rate: FAILED_LOGINS.to_owned(), burst: Some(FAILED_LOGINS_BURST) },
        }
    }
}
