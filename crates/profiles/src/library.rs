//! All profiles of one moment: what was found, read, put together; and what was not, with the reason.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::document::Document;
use crate::fault::ProfileFault;
use crate::name::ProfileName;
use crate::profile::Profile;
use crate::resolve::{Documents, Laying};

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name that its place gives it; front matter may give another.
    pub name: ProfileName,
    /// The file.
    pub file: PathBuf,
    /// What stands in it.
    pub text: String,
    /// How far the operator's word goes for its name, the least first: 0 is named in the configuration, then come the
    /// folders in their order.
    pub rank: usize,
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
        let documents = named(sources, &mut faults);
        let mut profiles = BTreeMap::new();
        let mut laying = Laying::new(&documents);
        for name in documents.keys() {
            match laying.resolve(name, variables) {
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

/// The documents by name. Nobody takes another's name: where two want one, it is that one's whose source goes before; of one
/// source, that one's whose file is called so; else neither's.
fn named(sources: Vec<Source>, faults: &mut Vec<ProfileFault>) -> Documents {
    let mut wanted: BTreeMap<ProfileName, Vec<(Claim, Document)>> = BTreeMap::new();
    for source in sources {
        match read(&source) {
            Ok((name, claim, document)) => wanted.entry(name).or_default().push((claim, document)),
            Err(fault) => faults.push(fault),
        }
    }
    let mut documents = Documents::new();
    for (name, mut claims) in wanted {
        claims.sort_by_key(|(claim, _)| *claim);
        let tied = claims.get(1).is_some_and(|second| second.0 == claims[0].0);
        let best = claims[0].0;
        let holder = claims[0].1.file.clone();
        let other = claims.get(1).map(|second| second.1.file.clone());
        for (at, (claim, document)) in claims.into_iter().enumerate() {
            if at == 0 && !tied {
                documents.insert(name.clone(), document);
                continue;
            }
            let rival = if at == 0 { other.as_ref().unwrap_or(&holder) } else { &holder };
            let whose = if tied && claim == best { ", and neither has it" } else { "" };
            let why = format!(
                "the name `{name}` is that of {} as well{whose}: give this profile another `name`, or its file",
                rival.display()
            );
            faults.push(ProfileFault::whole(&document.file, why));
        }
    }
    documents
}

/// How good somebody's claim to a name is: the rank of the source, then whether front matter alone says it.
type Claim = (usize, bool);

fn read(source: &Source) -> Result<(ProfileName, Claim, Document), ProfileFault> {
    let document = Document::parse(&source.text, &source.file)?;
    let name = match &document.front.name {
        None => source.name.clone(),
        Some(name) => ProfileName::parse(name)
            .map_err(|why| ProfileFault::whole(&source.file, format!("name: `{name}`: {why}")))?,
    };
    let claim = (source.rank, name != source.name);
    Ok((name, claim, document))
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
            Source { name, file: format!("/p/{path}").into(), text: (*text).to_owned(), rank: 1 }
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
        // Each is put together once, however many build on it.
        let all = library(&files, &[]);
        assert_eq!(all.find("p13").unwrap().text.matches('x').count(), 1);
    }

    /// CFG-3: a folder full of profiles that build on large ones costs what is allowed, and no more.
    #[test]
    fn cfg_3_putting_together_has_a_bound() {
        let large = format!("# A\n{}\n", "x".repeat(200 * 1024));
        let mut files = vec![("base.md".to_owned(), large)];
        files
            .extend((0..40).map(|at| {
                (format!("p{at:02}.md"), format!("---\nextends: [{}]\n---\n# B\n", ["base"; 16].join(", ")))
            }));
        let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let all = library(&files, &[]);
        assert!(all.find("base").is_some() && all.find("p00").is_some() && all.find("p39").is_none());
        assert!(all.faults().iter().all(|fault| fault.message.contains("MiB")), "{:?}", all.faults().last());
        let many = format!("---\nextends: [{}]\n---\n", ["base"; 33].join(", "));
        let all = library(&[("base.md", "x"), ("many.md", many.as_str())], &[]);
        assert!(all.faults()[0].message.contains("32"), "{:?}", all.faults());
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

    /// CFG-2: nobody takes another profile's name, by whatever order files come.
    #[test]
    fn cfg_2_a_name_is_whose_source_goes_before_or_nobodys() {
        let source = |path: &str, rank: usize, text: &str| {
            let stem = path.rsplit('/').next().unwrap().trim_end_matches(".md");
            let name = ProfileName::of_file(stem).unwrap();
            Source { name, file: format!("/p/{path}").into(), text: text.to_owned(), rank }
        };
        let taking = |name: &str| format!("---\nname: {name}\n---\nTaken.\n");
        let sources = vec![
            // Before it by path, and says that it is another.
            source("a-thief.md", 1, &taking("reviewer")),
            source("reviewer.md", 1, "The reviewer.\n"),
            // From a folder that goes after.
            source("later/reviewer.md", 2, "Another.\n"),
            // From one that goes before, though by its front matter alone.
            source("first.md", 1, &taking("tester")),
            source("x/tester.md", 2, "The tester.\n"),
            // Two with the same right: neither.
            source("a/twin.md", 1, "1"),
            source("b/twin.md", 1, "2"),
            source("c.md", 2, &taking("twin")),
            source("bad.md", 1, &taking("a b")),
        ];
        let mut backwards = sources.clone();
        backwards.reverse();
        for sources in [sources, backwards] {
            let all = Library::build(sources, Vec::new(), &IndexMap::new());
            assert_eq!(all.profiles().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["reviewer", "tester"]);
            assert_eq!(all.find("reviewer").unwrap().text, "The reviewer.\n");
            assert_eq!(all.find("tester").unwrap().file.to_str(), Some("/p/first.md"));
            let told: Vec<String> = all.faults().iter().map(ToString::to_string).collect();
            for (file, words) in [
                ("/p/a-thief.md: ", "`reviewer` is that of /p/reviewer.md"),
                ("/p/later/reviewer.md: ", "`reviewer` is that of /p/reviewer.md"),
                ("/p/x/tester.md: ", "`tester` is that of /p/first.md"),
                ("/p/a/twin.md: ", "/p/b/twin.md as well, and neither has it"),
                ("/p/b/twin.md: ", "/p/a/twin.md as well, and neither has it"),
                ("/p/c.md: ", "`twin` is that of"),
                ("/p/bad.md: ", "name: `a b`"),
            ] {
                assert!(
                    told.iter().any(|why| why.starts_with(file) && why.contains(words)),
                    "{file} {words}: {told:?}"
                );
            }
            assert_eq!(told.len(), 7);
        }
    }
}
