//! The served repositories, and how the one that a client names is opened.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use git2::{Commit, ErrorCode, Object, Repository, RepositoryOpenFlags};

use crate::mcp::failure::Failure;

/// Where a repository lives, with every symbolic link resolved.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    /// The working tree.
    work: PathBuf,
    /// The repository itself; differs from `common` in a linked working tree.
    own: PathBuf,
    /// Objects, references and configuration.
    common: PathBuf,
}

impl Layout {
    fn of(repository: &Repository) -> Result<Self, String> {
        let work = repository.workdir().ok_or("it is bare: it has no working tree")?;
        let real = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
        Ok(Self { work: real(work)?, own: real(repository.path())?, common: real(repository.commondir())? })
    }

    /// Whether a repository found inside this one's working tree keeps to it: a `.git` file or `core.worktree` can
    /// point anywhere on the machine.
    fn holds(&self, inner: &Self) -> bool {
        let within = |path: &Path| path.starts_with(&self.work) || path.starts_with(&self.common);
        let borrows_objects = inner.common.join("objects/info/alternates").exists();
        inner.work.starts_with(&self.work) && within(&inner.own) && within(&inner.common) && !borrows_objects
    }
}

/// All served repositories, as they were found when the server started.
pub(crate) struct Repositories(Vec<Layout>);

impl Repositories {
    pub(crate) fn open(paths: &[PathBuf]) -> anyhow::Result<Self> {
        ensure!(!paths.is_empty(), "give at least one --repository DIR");
        let open = |path: &PathBuf| -> anyhow::Result<Layout> {
            let context = || format!("--repository {}: cannot be served", path.display());
            let repository = Repository::discover(path).with_context(context)?;
            Layout::of(&repository).map_err(anyhow::Error::msg).with_context(context)
        };
        Ok(Self(paths.iter().map(open).collect::<Result<_, _>>()?))
    }

    pub(crate) fn shown(&self) -> Vec<String> {
        self.0.iter().map(|layout| layout.work.display().to_string()).collect()
    }

    /// Opens the repository that `repo_path` names: a served one, or one inside the working tree of a served one.
    pub(crate) fn named(&self, repo_path: Option<&str>) -> Result<Repository, Failure> {
        let Some(path) = repo_path else {
            return match self.0.as_slice() {
                [only] => open_inside(&only.work, only),
                _ => Err(Failure::new(format!("'repo_path' must be one of: {}", self.shown().join(", ")))),
            };
        };
        let outside = || {
            let served = self.shown().join(", ");
            Failure::new(format!("'repo_path' {path} is not in a repository that is served: {served}"))
        };
        let base = self.0.first().ok_or_else(outside)?;
        // What does not exist is answered like what is not served, so that nobody can feel around outside.
        let real = base.work.join(path).canonicalize().map_err(|_| outside())?;
        let candidates = self.0.iter().filter(|layout| real.starts_with(&layout.work));
        let served = candidates.max_by_key(|layout| layout.work.components().count()).ok_or_else(outside)?;
        open_inside(&real, served)
    }
}

fn open_inside(path: &Path, served: &Layout) -> Result<Repository, Failure> {
    let above = served.work.parent().unwrap_or(&served.work);
    let opened = Repository::open_ext(path, RepositoryOpenFlags::empty(), [above]);
    let repository = opened.map_err(|error| failure(&format!("cannot open {}", path.display()), &error))?;
    let layout = Layout::of(&repository).map_err(Failure::new)?;
    let allowed = if layout.work == served.work { layout == *served } else { served.holds(&layout) };
    if allowed {
        return Ok(repository);
    }
    Err(Failure::new(format!(
        "the repository at {} is refused: its files are not where a served repository may keep them",
        layout.work.display()
    )))
}

/// A failure of libgit2, with what was tried.
pub(crate) fn failure(what: &str, error: &git2::Error) -> Failure {
    match error.code() {
        ErrorCode::NotFound => Failure::new(format!("{what}: not found ({})", error.message())),
        _ => Failure::because(what, error.message()),
    }
}

/// What a revision names: a commit, tag, tree or file.
pub(crate) fn resolve<'r>(repository: &'r Repository, argument: &str, revision: &str) -> Result<Object<'r>, Failure> {
    plain(argument, revision)?;
    let found = repository.revparse_single(revision);
    found.map_err(|error| failure(&format!("'{argument}' {revision} names nothing in this repository"), &error))
}

pub(crate) fn resolve_commit<'r>(
    repository: &'r Repository,
    argument: &str,
    revision: &str,
) -> Result<Commit<'r>, Failure> {
    let object = resolve(repository, argument, revision)?;
    object.peel_to_commit().map_err(|_| Failure::new(format!("'{argument}' {revision} is not a commit")))
}

/// Refuses what Git would read as an option; libgit2 has none, but a name passed on elsewhere would be one.
pub(crate) fn plain(argument: &str, name: &str) -> Result<(), Failure> {
    if name.starts_with('-') || name.is_empty() || name.contains('\0') {
        return Err(Failure::new(format!("'{argument}' must not be empty, begin with '-' or contain NUL")));
    }
    Ok(())
}
