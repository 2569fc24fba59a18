//! `cache` in the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds that a rule may allow: a day (row RET-3).
pub const TTL_S_MAX: u32 = 86_400;

/// What the hub keeps to give again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// The first level, in the hub's own memory.
    pub memory: MemorySettings,
    /// Resources of servers that do not say themselves how long an answer may be kept (`ttlMs` of 2026-07-28); the first
    /// rule that covers one decides. They are kept for each principal apart. A server that says it is believed.
    pub resources: Vec<ResourceRule>,
    /// For how long, in seconds after its time, something kept stands in for an answer that cannot be had because its
    /// server fails; it is marked as stale then. 0: never.
    #[schemars(range(max = 86_400))]
    pub stale_if_error_s: u32,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { memory: MemorySettings::default(), resources: Vec::new(), stale_if_error_s: 300 }
    }
}

/// The first level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MemorySettings {
    /// Entries at most; 0 turns the cache off.
    #[schemars(range(max = 100_000))]
    pub entries_max: usize,
    /// Bytes at most, for all entries together.
    #[schemars(range(min = 65_536, max = 4_294_967_296_u64))]
    pub bytes_max: u64,
    /// Seconds that anything is given as if it were asked for anew, however long its server allows.
    #[schemars(range(min = 1, max = 86_400))]
    pub ttl_s: u32,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self { entries_max: 1_000, bytes_max: 64 * 1024 * 1024, ttl_s: 300 }
    }
}

/// For how long some resources may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceRule {
    /// Which: `server:uri`, with `*` for any run of characters and `?` for one.
    #[serde(rename = "match")]
    pub pattern: String,
    /// Seconds.
    #[schemars(range(max = 86_400))]
    pub ttl_s: u32,
}
