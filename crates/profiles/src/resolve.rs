//! A profile with all that it builds on, from the lowest base up; rings and gaps are told with the way that led there.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::document::{BYTES_MAX, Document};
use crate::fault::ProfileFault;
use crate::fill::fill;
use crate::name::ProfileName;
use crate::offer::Offer;
use crate::profile::Profile;
use crate::sections::lay_over;

/// Longest way from a profile to a base.
const DEPTH_MAX: usize = 16;
/// Profiles that one builds on itself.
const BASES_MAX: usize = 32;
/// Bytes that are laid over others for all profiles together.
const WORK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What an entry of a list counts for.
const ENTRY_BYTES: usize = 64;
/// Names that a message lists.
const NAMES_TOLD_MAX: usize = 20;

/// All documents, by name.
pub(crate) type Documents = BTreeMap<ProfileName, Document>;

/// What is there so far.
struct Laid {
    text: String,
    offer: Offer,
    variables: BTreeMap<String, String>,
    bases: Vec<ProfileName>,
}

/// Puts profiles together, each once.
pub(crate) struct Laying<'a> {
    all: &'a Documents,
    by_file: HashMap<PathBuf, &'a ProfileName>,
    done: HashMap<&'a ProfileName, Arc<Laid>>,
    chain: Vec<&'a ProfileName>,
    work_bytes: usize,
}

impl<'a> Laying<'a> {
    /// Nothing of `all` is put together yet.
    pub(crate) fn new(all: &'a Documents) -> Self {
        let by_file = all.iter().map(|(name, document)| (normal(&document.file), name)).collect();
        Self { all, by_file, done: HashMap::new(), chain: Vec::new(), work_bytes: 0 }
    }

    /// The profile `name`. `given` are variables whose values go before those of profiles.
    ///
    /// # Errors
    /// What is wrong with it or with one of its bases.
    pub(crate) fn resolve(
        &mut self,
        name: &ProfileName,
        given: &indexmap::IndexMap<String, String>,
    ) -> Result<Profile, ProfileFault> {
        let Some((name, document)) = self.all.get_key_value(name) else {
            return Err(ProfileFault::whole(Path::new(name.as_str()), "there is no such profile"));
        };
        self.chain.clear();
        let laid = self.lay(name, document)?;
        let mut values: BTreeMap<&str, &str> = laid.variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        values.extend(given.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let text = fill(&laid.text, &values, BYTES_MAX).map_err(|why| ProfileFault::whole(&document.file, why))?;
        Ok(Profile {
            name: name.clone(),
            description: document.front.description.clone(),
            sha256: Profile::digest(&text, &laid.offer),
            text,
            offer: laid.offer.clone(),
            file: document.file.clone(),
            bases: laid.bases.clone(),
        })
    }

    fn told(&self, last: &str) -> String {
        self.chain.iter().map(|name| name.as_str()).chain([last]).collect::<Vec<_>>().join(" → ")
    }

    fn lay(&mut self, name: &'a ProfileName, document: &'a Document) -> Result<Arc<Laid>, ProfileFault> {
        if let Some(done) = self.done.get(name) {
            return Ok(Arc::clone(done));
        }
        let fault = |why: String| ProfileFault::whole(&document.file, why);
        if self.chain.contains(&name) {
            return Err(fault(format!("builds on itself: {}", self.told(name.as_str()))));
        }
        if self.chain.len() >= DEPTH_MAX {
            let way = self.told(name.as_str());
            return Err(fault(format!("builds on profiles that build on others, more than {DEPTH_MAX} deep: {way}")));
        }
        if document.bases.len() > BASES_MAX {
            return Err(fault(format!("builds on more than {BASES_MAX} profiles")));
        }
        self.chain.push(name);
        let mut bases: Vec<ProfileName> = Vec::new();
        let mut laid: Option<Laid> = None;
        for wanted in &document.bases {
            let Some((base, below)) = self.find(document, wanted) else {
                return Err(fault(self.missing(wanted)));
            };
            let next = self.lay(base, below)?;
            for one in next.bases.iter().chain([base]) {
                if !bases.contains(one) {
                    bases.push(one.clone());
                }
            }
            laid = Some(match laid {
                None => Laid {
                    variables: next.variables.clone(),
                    text: next.text.clone(),
                    offer: next.offer.clone(),
                    bases: Vec::new(),
                },
                Some(before) => self.over(before, &next.text, (&next.offer, &next.variables), document)?,
            });
        }
        self.chain.pop();
        let mut laid = match laid {
            None => Laid {
                text: document.text.clone(),
                offer: document.offer.clone(),
                variables: document.front.variables.clone(),
                bases: Vec::new(),
            },
            Some(below) => self.over(below, &document.text, (&document.offer, &document.front.variables), document)?,
        };
        laid.bases = bases;
        let laid = Arc::new(laid);
        self.done.insert(name, Arc::clone(&laid));
        Ok(laid)
    }

    fn over(
        &mut self,
        below: Laid,
        text: &str,
        on_top: (&Offer, &BTreeMap<String, String>),
        of: &Document,
    ) -> Result<Laid, ProfileFault> {
        let fault = |why: String| ProfileFault::whole(&of.file, why);
        let entries = below.offer.entries() + on_top.0.entries() + below.variables.len() + on_top.1.len();
        self.work_bytes = self.work_bytes.saturating_add(below.text.len() + text.len() + entries * ENTRY_BYTES);
        if self.work_bytes > WORK_BYTES_MAX {
            let most = WORK_BYTES_MAX / (1024 * 1024);
            return Err(fault(format!(
                "all profiles together build on more text than {most} MiB: this one is left out"
            )));
        }
        let laid = below.under(text, on_top, of).map_err(fault)?;
        if laid.text.len() > BYTES_MAX {
            return Err(fault(format!("with what it builds on it is longer than {} KiB", BYTES_MAX / 1024)));
        }
        Ok(laid)
    }

    fn missing(&self, wanted: &str) -> String {
        let known: Vec<&str> = self.all.keys().map(ProfileName::as_str).take(NAMES_TOLD_MAX).collect();
        let more = if self.all.len() > NAMES_TOLD_MAX { ", …" } else { "" };
        let way = self.told(wanted);
        format!("builds on `{wanted}`, which is no profile here ({way}); there are: {}{more}", known.join(", "))
    }

    /// A base by its name, or by its path from the profile that names it; `.md` may be left out. Only what was found as a
    /// profile is one: a path reads no other file.
    fn find(&self, from: &Document, wanted: &str) -> Option<(&'a ProfileName, &'a Document)> {
        if let Some(found) = ProfileName::parse(wanted).ok().and_then(|name| self.all.get_key_value(&name)) {
            return Some(found);
        }
        let plain = normal(&from.file.parent().unwrap_or(Path::new("")).join(wanted));
        let mut with_ending = plain.clone().into_os_string();
        with_ending.push(".md");
        let name = self.by_file.get(&plain).or_else(|| self.by_file.get(Path::new(&with_ending)))?;
        self.all.get_key_value(*name)
    }
}

impl Laid {
    fn under(
        self,
        text: &str,
        (offer, variables): (&Offer, &BTreeMap<String, String>),
        of: &Document,
    ) -> Result<Self, String> {
        let join = of.how.merge_arrays && of.how.override_strategy == crate::bases::Strategy::Merge;
        let mut all = self.variables;
        all.extend(variables.clone());
        Ok(Self {
            text: lay_over(&self.text, text, of.how.override_strategy, of.how.merge_arrays)?,
            offer: self.offer.under(offer, join),
            variables: all,
            bases: Vec::new(),
        })
    }
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
