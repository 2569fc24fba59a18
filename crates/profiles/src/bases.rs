//! Which profiles one builds on, and how they are put together.

use serde::Deserialize;

/// The `inheritance` block. Names in camel and snake case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Inheritance {
    pub(crate) enabled: bool,
    #[serde(alias = "baseProfiles")]
    pub(crate) base_profiles: Vec<String>,
    #[serde(alias = "overrideStrategy")]
    pub(crate) override_strategy: Strategy,
    #[serde(alias = "mergeArrays")]
    pub(crate) merge_arrays: bool,
    /// The order of the bases always counts; the field is taken because files have it.
    #[serde(alias = "respectOrder")]
    pub(crate) respect_order: bool,
}

impl Default for Inheritance {
    fn default() -> Self {
        Self {
            enabled: true,
            base_profiles: Vec::new(),
            override_strategy: Strategy::Merge,
            merge_arrays: true,
            respect_order: true,
        }
    }
}

/// What becomes of a section that both have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Strategy {
    /// Lists are joined, other text is the later one's.
    #[default]
    Merge,
    /// The later one's.
    Replace,
}
