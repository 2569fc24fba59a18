//! A profile with all that it builds on, from the lowest base up; rings and gaps are told with the way that led there.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::document::{BYTES_MAX, Document};
use crate::fault::ProfileFault;
use crate::fill::fill;
use crate::name::ProfileName;
use crate::offer::Offer;
use crate::profile::Profile;
use crate::sections::lay_over;

/// Longest way from a profile to a base.
const DEPTH_MAX: usize = 16;
/// Documents laid over one another for one profile, counting those that come in twice.
const STEPS_MAX: usize = 256;

/// All documents, by name.
pub(crate) type Documents = BTreeMap<ProfileName, Document>;

/// What is there so far.
struct Laid {
    text: String,
    offer: Offer,
    variables: BTreeMap<String, String>,
}

struct Way<'a> {
    all: &'a Documents,
    chain: Vec<&'a ProfileName>,
    bases: Vec<ProfileName>,
    steps: usize,
}

/// The profile `name` of `all`. `given` are variables whose values go before those of profiles.
///
/// # Errors
/// What is wrong with it or with one of its bases.
pub(crate) fn resolve(
    all: &Documents,
    name: &ProfileName,
    given: &indexmap::IndexMap<String, String>,
) -> Result<Profile, ProfileFault> {
    let Some((name, document)) = all.get_key_value(name) else {
        return Err(ProfileFault::whole(Path::new(name.as_str()), "there is no such profile"));
    };
    let mut way = Way { all, chain: Vec::new(), bases: Vec::new(), steps: 0 };
    let laid = way.lay(name, document)?;
    let mut values: BTreeMap<&str, &str> = laid.variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    values.extend(given.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let text = fill(&laid.text, &values, BYTES_MAX).map_err(|why| ProfileFault::whole(&document.file, why))?;
    Ok(Profile {
        name: name.clone(),
        description: document.front.description.clone(),
        sha256: Profile::digest(&text, &laid.offer),
        text,
        offer: laid.offer,
        file: document.file.clone(),
        bases: way.bases,
    })
}

impl<'a> Way<'a> {
    fn told(&self, last: &str) -> String {
        self.chain.iter().map(|name| name.as_str()).chain([last]).collect::<Vec<_>>().join(" → ")
    }

    fn lay(&mut self, name: &'a ProfileName, document: &'a Document) -> Result<Laid, ProfileFault> {
        let fault = |why: String| ProfileFault::whole(&document.file, why);
        if self.chain.contains(&name) {
            return Err(fault(format!("builds on itself: {}", self.told(name.as_str()))));
        }
        self.steps += 1;
        if self.chain.len() >= DEPTH_MAX || self.steps > STEPS_MAX {
            let why = format!("builds on too many profiles (a way of {DEPTH_MAX}, {STEPS_MAX} in all)");
            return Err(fault(format!("{why}: {}", self.told(name.as_str()))));
        }
        self.chain.push(name);
        let mut laid: Option<Laid> = None;
        for wanted in &document.bases {
            let Some((base, below)) = find(self.all, document, wanted) else {
                let known = self.all.keys().map(ProfileName::as_str).collect::<Vec<_>>().join(", ");
                let way = self.told(wanted);
                return Err(fault(format!(
                    "builds on `{wanted}`, which is no profile here ({way}); there are: {known}"
                )));
            };
            let next = self.lay(base, below)?;
            if !self.bases.contains(base) {
                self.bases.push(base.clone());
            }
            laid = Some(match laid {
                None => next,
                Some(before) => before.under(&next.text, (&next.offer, &next.variables), document),
            });
        }
        self.chain.pop();
        let laid = match laid {
            None => Laid {
                text: document.text.clone(),
                offer: document.offer.clone(),
                variables: document.front.variables.clone(),
            },
            Some(below) => below.under(&document.text, (&document.offer, &document.front.variables), document),
        };
        if laid.text.len() > BYTES_MAX {
            return Err(fault(format!("with what it builds on it is longer than {} KiB", BYTES_MAX / 1024)));
        }
        Ok(laid)
    }
}

impl Laid {
    fn under(self, text: &str, (offer, variables): (&Offer, &BTreeMap<String, String>), of: &Document) -> Self {
        let join = of.how.merge_arrays && of.how.override_strategy == crate::bases::Strategy::Merge;
        let mut all = self.variables;
        all.extend(variables.clone());
        Self {
            text: lay_over(&self.text, text, of.how.override_strategy, of.how.merge_arrays),
            offer: self.offer.under(offer, join),
            variables: all,
        }
    }
}

/// A base by its name, or by its path from the profile that names it; `.md` may be left out. Only what was found as a
/// profile is one: a path reads no other file.
fn find<'a>(all: &'a Documents, from: &Document, wanted: &str) -> Option<(&'a ProfileName, &'a Document)> {
    if let Some(found) = ProfileName::parse(wanted).ok().and_then(|name| all.get_key_value(&name)) {
        return Some(found);
    }
    let plain = normal(&from.file.parent().unwrap_or(Path::new("")).join(wanted));
    let mut with_ending = plain.clone().into_os_string();
    with_ending.push(".md");
    all.iter().find(|(_, document)| {
        let file = normal(&document.file);
        file == plain || file.as_os_str() == with_ending
    })
}

/// `.` and `..` taken out by name alone.
fn normal(path: &Path) -> PathBuf {
    let mut steps = PathBuf::new();
    for step in path.components() {
        match step {
            Component::CurDir => {}
            Component::ParentDir => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps
}
