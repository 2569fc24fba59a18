//! Profiles: whatever a file holds it is read or refused, a text that says nothing of itself is unchanged, references of
//! secrets stay text, and what a base takes away stays away.

use std::path::Path;

use omni_profiles::{Document, Library, ProfileName, Source, Thing};

use crate::pieces::Pieces;

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let (base, later) = (pieces.text(), pieces.rest_text());
    let file = Path::new("later.md");
    if Document::parse(later, file).is_err() {
        return;
    }
    let source = |name: &str, text: String| Source {
        name: ProfileName::parse(name).unwrap_or_else(|_| panic!("a name")),
        file: format!("{name}.md").into(),
        text,
        rank: 0,
    };
    let denying = format!("---\npolicy: {{deny: [\"git:push\"]}}\n---\n{base}");
    let sources = vec![source("base", denying), source("later", later.to_owned())];
    let library = Library::build(sources, Vec::new(), &indexmap::IndexMap::new());
    let is_plain = !later.starts_with("---") && !later.starts_with('\u{feff}') && !later.contains("nheritance");
    for profile in library.profiles() {
        if is_plain && profile.file == file {
            assert_eq!(profile.text, later, "a plain text is another one");
        }
        let builds = profile.name.as_str() == "base" || profile.bases.iter().any(|base| base.as_str() == "base");
        let shows = profile.offer.shows(Thing::Tool { read_only: true }, "git", "push");
        assert!(!builds || !shows, "what a base takes away is there again");
    }
}
