//! Tools that change what is staged.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use git2::{Index, IndexAddOption, Oid, Repository};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::git::repositories::{Repositories, failure};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Paths of one `git_add`.
const PATHS_MAX: usize = 1_000;

pub(crate) fn tools(repositories: &Arc<Repositories>) -> Vec<Tool> {
    vec![
        Signature::new(
            "git_add",
            Hints::ENSURES,
            "Stages files for the next commit: new, changed and deleted ones. A directory stages everything below, '.' the \
             whole working tree. Paths are relative to it. Ignored files are refused.",
        )
        .blocking(repositories, git_add),
        Signature::new("git_reset", Hints::REPLACES, "Unstages everything; the files themselves stay as they are.")
            .blocking(repositories, git_reset),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// Files or directories to stage.
    #[schemars(length(min = 1, max = 1000))]
    files: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResetArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
}

fn git_add(repositories: &Repositories, arguments: AddArguments, cancel: &Cancel) -> Answer {
    if arguments.files.is_empty() || arguments.files.len() > PATHS_MAX {
        return Err(Failure::new(format!("'files' must name 1 to {PATHS_MAX} paths; '.' stages everything")));
    }
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let failed = |error: git2::Error| failure("cannot stage", &error);
    let mut index = repository.index().map_err(failed)?;
    let before = entries(&index);
    let work = repository.workdir().ok_or_else(|| Failure::new("the repository has no working tree"))?;
    let dir = Dir::open_ambient_dir(work, ambient_authority())
        .map_err(|error| Failure::because("cannot open the working tree", error))?;
    for file in &arguments.files {
        cancel.check()?;
        let path = inside(work, file)?;
        stage(&repository, &mut index, &dir, &path)
            .map_err(|Failure(reason)| Failure::new(format!("'{file}': {reason}; nothing was staged")))?;
    }
    if entries(&index) == before {
        return Ok(Outcome::text("Nothing was staged: these paths hold no changes"));
    }
    index.write().map_err(failed)?;
    Ok(Outcome::text("Files staged successfully"))
}

/// What the index holds; the times in it do not matter.
fn entries(index: &Index) -> Vec<(Vec<u8>, Oid, u32)> {
    index.iter().map(|entry| (entry.path, entry.id, entry.mode)).collect()
}

/// The path relative to the working tree, of plain names only.
fn inside(work: &Path, file: &str) -> Result<PathBuf, Failure> {
    let refuse = || Failure::new(format!("'{file}' is not a path inside the working tree {}", work.display()));
    if file.contains('\0') || file.is_empty() {
        return Err(refuse());
    }
    let path = Path::new(file);
    let relative = if path.is_absolute() { path.strip_prefix(work).map_err(|_| refuse())? } else { path };
    let mut plain = PathBuf::new();
    for component in relative.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            _ => return Err(refuse()),
        }
    }
    Ok(plain)
}

fn stage(repository: &Repository, index: &mut Index, dir: &Dir, path: &Path) -> Result<(), Failure> {
    let failed = |error: git2::Error| failure("cannot stage", &error);
    if path.as_os_str().is_empty() {
        return index.add_all(["*"], IndexAddOption::DEFAULT, None).map_err(failed);
    }
    // libgit2 would read a file through a linked directory; Git refuses it, and so the bytes outside stay outside.
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        if dir.symlink_metadata(above).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(Failure::new(format!("it lies beyond the symbolic link {}", above.display())));
        }
    }
    let tracked = index.get_path(path, 0).is_some();
    match dir.symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let options = IndexAddOption::DEFAULT | IndexAddOption::DISABLE_PATHSPEC_MATCH;
            index.add_all([path], options, None).map_err(failed)
        }
        Ok(metadata) if metadata.is_file() || metadata.is_symlink() => {
            if !tracked && repository.is_path_ignored(path).map_err(failed)? {
                return Err(Failure::new("it is ignored by .gitignore"));
            }
            index.add_path(path).map_err(failed)
        }
        Ok(_) => Err(Failure::new("it is not a regular file")),
        Err(_) if tracked => index.remove_path(path).map_err(failed),
        Err(_) => {
            // A directory that is gone, with files that are still tracked.
            let options = IndexAddOption::DEFAULT | IndexAddOption::DISABLE_PATHSPEC_MATCH;
            let below = index.iter().any(|entry| Path::new(&*String::from_utf8_lossy(&entry.path)).starts_with(path));
            if !below {
                return Err(Failure::new("it does not exist"));
            }
            index.add_all([path], options, None).map_err(failed)
        }
    }
}

fn git_reset(repositories: &Repositories, arguments: ResetArguments, _: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let failed = |error: git2::Error| failure("cannot unstage", &error);
    let mut index = repository.index().map_err(failed)?;
    match repository.head() {
        Ok(head) => index.read_tree(&head.peel_to_tree().map_err(failed)?).map_err(failed)?,
        // Before the first commit nothing is the state to go back to.
        Err(error) if error.code() == git2::ErrorCode::UnbornBranch => index.clear().map_err(failed)?,
        Err(error) => return Err(failed(error)),
    }
    index.write().map_err(failed)?;
    Ok(Outcome::text("All staged changes reset"))
}
