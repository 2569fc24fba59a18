//! Which module of a crate a path leads to, through re-exports, so that edges run between the files that define.

use crate::Tree;
use crate::walk::{Kind, Used, Walked};
use std::collections::{BTreeMap, BTreeSet};

/// A re-export of a re-export of a re-export … ends here.
const HOPS_MAX: usize = 16;

/// The modules of one crate that have a file, by their path (`["flow", "call_tool"]`; the root is empty).
pub(crate) struct Modules<'a> {
    /// The package's folder.
    pub(crate) folder: String,
    files: BTreeMap<Vec<String>, &'a Walked>,
}

/// One module uses another.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) line: usize,
    pub(crate) path: String,
}

/// The crates of the tree: the library of each package or, where there is none, its binary. Tests are left out: they
/// may look wherever they like.
pub(crate) fn crates<'a>(tree: &Tree, walked: &'a [Walked]) -> Vec<Modules<'a>> {
    let mut all = Vec::new();
    for package in &tree.packages {
        let source = format!("{}/src/", package.folder);
        let has_library = walked.iter().any(|file| file.path == format!("{source}lib.rs"));
        let mut files = BTreeMap::new();
        for file in walked.iter().filter(|file| !file.test) {
            let Some(inside) = file.path.strip_prefix(&source) else { continue };
            if inside.starts_with("bin/") || (has_library && inside == "main.rs") {
                continue;
            }
            files.insert(module_path(inside), file);
        }
        all.push(Modules { folder: package.folder.clone(), files });
    }
    all
}

fn module_path(inside: &str) -> Vec<String> {
    let stem = inside.strip_suffix(".rs").unwrap_or(inside);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    match stem {
        "lib" | "main" | "mod" => Vec::new(),
        _ => stem.split('/').map(str::to_owned).collect(),
    }
}

impl Modules<'_> {
    /// Every use of one file's items by another file of the crate.
    pub(crate) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (module, file) in &self.files {
            for used in file.used.iter().filter(|used| !used.test) {
                let Some(to) = self.target(module, used) else { continue };
                if &to == module {
                    continue;
                }
                let to = self.files[&to].path.clone();
                let (line, path) = (used.line, used.segments.join("::"));
                edges.push(Edge { from: file.path.clone(), to, line, path });
            }
        }
        edges
    }

    /// The file that defines what is used; `None` for other crates, and for the import of a module as such, since
    /// what is then taken from that module has its own path.
    fn target(&self, module: &[String], used: &Used) -> Option<Vec<String>> {
        let at: Vec<String> = module.iter().chain(&used.inline).cloned().collect();
        let (to, whole) = self.resolve(&at, &used.segments, 0)?;
        (used.kind == Kind::Plain || !whole || self.has_twin(&to)).then_some(to)
    }

    /// Whether the name of this module is also an item of its parent (`pub use call_tool::call_tool`).
    fn has_twin(&self, module: &[String]) -> bool {
        let Some((name, parent)) = module.split_last() else { return false };
        self.files.get(parent).is_some_and(|file| file.items.contains(name) || file.imports.contains_key(name))
    }

    /// The module a path ends in, and whether the path names that module itself and nothing in it.
    fn resolve(&self, at: &[String], segments: &[String], hops: usize) -> Option<(Vec<String>, bool)> {
        let (first, rest) = segments.split_first()?;
        if hops > HOPS_MAX {
            return None;
        }
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, hops),
            "self" => self.descend(self.file_of(at), rest, hops),
            "super" => {
                let (_, parent) = at.split_last()?;
                match rest.first().map(String::as_str) {
                    Some("super") => self.resolve(parent, rest, hops + 1),
                    _ => self.descend(self.file_of(parent), rest, hops),
                }
            }
            name => {
                let here = self.file_of(at);
                let mut child = here.clone();
                child.push(name.to_owned());
                if self.files.contains_key(&child) {
                    return self.descend(child, rest, hops);
                }
                let import = self.files.get(&here)?.imports.get(name)?;
                if import.first() == Some(first) {
                    return None;
                }
                let path: Vec<String> = import.iter().chain(rest).cloned().collect();
                self.resolve(&here, &path, hops + 1)
            }
        }
    }

    /// From a module down the path, until it leaves the modules: into an item, or through a re-export.
    fn descend(&self, mut module: Vec<String>, path: &[String], hops: usize) -> Option<(Vec<String>, bool)> {
        for (index, name) in path.iter().enumerate() {
            module.push(name.clone());
            if self.files.contains_key(&module) {
                continue;
            }
            module.pop();
            let file = self.files.get(&module)?;
            if !file.items.contains(name)
                && let Some(import) = file.imports.get(name)
            {
                let onward: Vec<String> = import.iter().chain(&path[index + 1..]).cloned().collect();
                let inner = if import.first() == Some(name) && import.len() == 1 {
                    None
                } else {
                    self.resolve(&module, &onward, hops + 1)
                };
                // A name of another crate that this module only passes on is the module's own.
                return inner.or(Some((module, false)));
            }
            return Some((module, false));
        }
        Some((module, true))
    }

    /// The module with a file that holds this place: modules written inside a file belong to it.
    fn file_of(&self, at: &[String]) -> Vec<String> {
        let mut module = at.to_vec();
        while !self.files.contains_key(&module) && module.pop().is_some() {}
        module
    }
}

/// Groups of files that use one another in a circle, each with the edges inside it.
pub(crate) fn circles(edges: &[Edge]) -> Vec<(BTreeSet<String>, Vec<Edge>)> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in edges {
        next.entry(&edge.from).or_default().insert(&edge.to);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = next.keys().map(|from| (*from, reachable(&next, from))).collect();
    let mut groups: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (from, far) in &reach {
        if far.contains(from) {
            let back = |to: &&&str| reach.get(**to).is_some_and(|far| far.contains(from));
            groups.insert(far.iter().filter(back).map(|to| (*to).to_owned()).collect());
        }
    }
    let inside = |group: &BTreeSet<String>, edge: &&Edge| group.contains(&edge.from) && group.contains(&edge.to);
    let with_edges = |group: BTreeSet<String>| {
        let edges = edges.iter().filter(|edge| inside(&group, edge)).cloned().collect();
        (group, edges)
    };
    groups.into_iter().map(with_edges).collect()
}

/// How many files of each package stand in a circle; packages without one are left out.
pub(crate) fn tangled(tree: &Tree, walked: &[Walked]) -> BTreeMap<String, usize> {
    let count = |modules: &Modules<'_>| circles(&modules.edges()).iter().map(|(group, _)| group.len()).sum::<usize>();
    let counted = crates(tree, walked).into_iter().map(|modules| (modules.folder.clone(), count(&modules)));
    counted.filter(|(_, files)| *files > 0).collect()
}

fn reachable<'a>(next: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<&str> = next.get(from).into_iter().flatten().copied().collect();
    while let Some(at) = waiting.pop() {
        if seen.insert(at) {
            waiting.extend(next.get(at).into_iter().flatten());
        }
    }
    seen
}
