//! All profiles of one moment: what was found, read, put together; and what was not, with the reason.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::document::Document;
use crate::fault::ProfileFault;
use crate::name::ProfileName;
use crate::profile::Profile;
use crate::resolve::{Documents, resolve};

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that its place gives it; front matter may give another.
    pub name: ProfileName,
    /// The file.
    pub file: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// The profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    profiles: BTreeMap<ProfileName, Arc<Profile>>,
    faults: Vec<ProfileFault>,
}

impl Library {
    /// Puts together what `sources` say, in their order; `variables` are the operator's. A profile that is wrong is left out,
    /// the others are there.
    #[must_use]
    pub fn build(
        sources: Vec<Source>,
        mut faults: Vec<ProfileFault>,
        variables: &indexmap::IndexMap<String, String>,
    ) -> Self {
        let mut documents = Documents::new();
        for source in sources {
            match read(&source) {
                Ok((name, document)) => match documents.get(&name) {
                    Some(first) => {
                        let first = first.file.display();
                        let why = format!("there is a profile `{name}` already, {first}: give one another `name`");
                        faults.push(ProfileFault::whole(&source.file, why));
                    }
                    None => {
                        documents.insert(name, document);
                    }
                },
                Err(fault) => faults.push(fault),
            }
        }
        let mut profiles = BTreeMap::new();
        for name in documents.keys() {
            match resolve(&documents, name, variables) {
                Ok(profile) => {
                    profiles.insert(name.clone(), Arc::new(profile));
                }
                Err(fault) if faults.contains(&fault) => {}
                Err(fault) => faults.push(fault),
            }
        }
        Self { profiles, faults }
    }

    /// The profile called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Profile>> {
        self.profiles.get(name)
    }

    /// All, by name.
    pub fn profiles(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }

    /// What is wrong with those that are left out.
    #[must_use]
    pub fn faults(&self) -> &[ProfileFault] {
        &self.faults
    }
}

fn read(source: &Source) -> Result<(ProfileName, Document), ProfileFault> {
    let document = Document::parse(&source.text, &source.file)?;
    let name = match &document.front.name {
        None => source.name.clone(),
        Some(name) => ProfileName::parse(name)
            .map_err(|why| ProfileFault::whole(&source.file, format!("name: `{name}`: {why}")))?,
    };
    Ok((name, document))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use indexmap::IndexMap;

    use super::{Library, Source};
    use crate::name::ProfileName;
    use crate::offer::Thing;

    fn library(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Library {
        let sources = files.iter().map(|(path, text)| {
            let stem = path.rsplit('/').next().unwrap().trim_end_matches(".md");
            let name = ProfileName::of_file(stem).unwrap();
            Source { name, file: format!("/p/{path}").into(), text: (*text).to_owned() }
        });
        let variables: IndexMap<String, String> =
            variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Library::build(sources.collect(), Vec::new(), &variables)
    }

    #[test]
    fn cfg_3_bases_are_laid_from_left_to_right_and_from_below() {
        let all = library(
            &[
                ("grand.md", "## Instructions\n- Grand\n"),
                (
                    "parent.md",
                    "inheritance:\n  enabled: true\n  baseProfiles: [\"grand.md\"]\n\n## Instructions\n- Parent\n",
                ),
                ("sub/other.md", "---\nvariables: {who: nobody}\n---\n## Instructions\n- Other ${who}\n"),
                (
                    "child.md",
                    "---\nextends: [parent, ./sub/other]\nvariables: {who: you}\n---\n## Instructions\n- Child\n",
                ),
            ],
            &[],
        );
        assert_eq!(all.faults(), []);
        let child = all.find("child").unwrap();
        assert_eq!(child.text, "## Instructions\n- Grand\n- Parent\n- Other you\n- Child\n");
        assert_eq!(child.bases.iter().map(ProfileName::as_str).collect::<Vec<_>>(), ["grand", "parent", "other"]);
        assert_eq!(all.find("other").unwrap().text, "## Instructions\n- Other nobody\n");
    }

    #[test]
    fn cfg_3_rings_and_gaps_are_told_with_the_way() {
        let all = library(
            &[
                ("a.md", "---\nextends: b\n---\n"),
                ("b.md", "---\nextends: c\n---\n"),
                ("c.md", "---\nextends: a\n---\n"),
                ("lost.md", "---\nextends: ../../etc/passwd\n---\n"),
                ("fine.md", "Fine.\n"),
            ],
            &[],
        );
        let told: Vec<String> = all.faults().iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|why| why.contains("a → b → c → a")), "{told:?}");
        assert!(told.iter().any(|why| why.contains("lost → ../../etc/passwd")), "{told:?}");
        assert_eq!(all.profiles().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["fine"]);
    }

    #[test]
    fn cfg_3_many_bases_of_many_bases_end() {
        let mut files: Vec<(String, String)> = vec![("p0.md".to_owned(), "- x\n".to_owned())];
        for at in 1..14 {
            let base = format!("p{}", at - 1);
            files.push((format!("p{at}.md"), format!("---\nextends: [{base}, {base}, {base}]\n---\n- y\n")));
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let all = library(&files, &[]);
        assert!(all.find("p3").is_some() && all.find("p13").is_none());
    }

    /// CFG-7: a plain file's digest is that of the file.
    #[test]
    fn cfg_7_the_digest_tells_one_profile_from_another() {
        let all = library(&[("plain.md", "# Hi\n"), ("less.md", "---\ntools: [git]\n---\n# Hi\n")], &[]);
        let (plain, less) = (all.find("plain").unwrap(), all.find("less").unwrap());
        assert_eq!(plain.hash(), "19812277b04a5a988e4dc361617bcb927d4297c47353da93aa992ac007f1f3cf");
        assert_eq!(plain.text, less.text);
        assert_ne!(plain.sha256, less.sha256);
        assert!(
            less.offer.shows(Thing::Prompt, "fs", "x") && !less.offer.shows(Thing::Tool { read_only: true }, "fs", "x")
        );
    }

    #[test]
    fn cfg_5_the_operators_variables_go_before() {
        let all = library(
            &[("a.md", "---\nvariables: {x: mine, y: mine}\n---\n${x} ${y} ${z}\n")],
            &[("x", "theirs"), ("z", "too")],
        );
        assert_eq!(all.find("a").unwrap().text, "theirs mine too\n");
    }

    #[test]
    fn cfg_2_two_of_one_name_are_told() {
        let all = library(&[("a.md", "1"), ("x/a.md", "2"), ("b.md", "---\nname: a b\n---\n")], &[]);
        assert_eq!(all.find("a").unwrap().text, "1");
        assert!(all.faults()[0].to_string().starts_with("/p/x/a.md: there is a profile `a` already, /p/a.md"));
        assert!(all.faults()[1].to_string().contains("name: `a b`"));
    }
}
