//! Front matter: what stands between two lines of `---` at the head of a profile.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::bases::Inheritance;
use crate::fault::ProfileFault;
use crate::yaml::read;

/// Entries of one list, and variables.
const ENTRIES_MAX: usize = 200;

/// The fields, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Front {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// Profiles that this one builds on, by name or path.
    #[serde(deserialize_with = "one_or_more")]
    pub(crate) extends: Vec<String>,
    pub(crate) inheritance: Option<Inheritance>,
    pub(crate) servers: Option<Vec<String>>,
    pub(crate) tools: Option<Vec<String>>,
    pub(crate) prompts: Option<Vec<String>>,
    pub(crate) resources: Option<Vec<String>>,
    pub(crate) policy: Narrowing,
    pub(crate) variables: BTreeMap<String, String>,
}

/// What the profile takes away, whatever is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Narrowing {
    pub(crate) deny: Vec<String>,
    pub(crate) read_only: bool,
}

impl Front {
    /// Reads `yaml`, which stands in `file` below `lines_before` other lines.
    pub(crate) fn parse(yaml: &str, file: &Path, lines_before: usize) -> Result<Self, ProfileFault> {
        let front: Self = read(yaml, file, lines_before)?;
        let lists = [&front.servers, &front.tools, &front.prompts, &front.resources];
        let longest = lists.into_iter().flatten().map(Vec::len).chain([front.policy.deny.len(), front.extends.len()]);
        if longest.chain([front.variables.len()]).any(|entries| entries > ENTRIES_MAX) {
            return Err(ProfileFault::whole(
                file,
                format!("a list of the front matter has more than {ENTRIES_MAX} entries"),
            ));
        }
        Ok(front)
    }
}

/// `extends: base` and `extends: [base, other]`.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        One(String),
        More(Vec<String>),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::One(one) => vec![one],
        Given::More(more) => more,
    })
}
