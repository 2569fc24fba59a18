//! Tools that make commits and branches and switch between them.

use std::sync::Arc;

use git2::build::CheckoutBuilder;
use git2::{Branch, Commit, Oid, Repository, RepositoryState};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::git::branches::is_local;
use crate::git::repositories::{Repositories, failure, plain, resolve_commit};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Bytes of a commit message.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

pub(crate) fn tools(repositories: &Arc<Repositories>) -> Vec<Tool> {
    vec![
        Signature::new(
            "git_commit",
            Hints::ADDS,
            "Commits what is staged, as the user of Git's configuration. No hooks are run and nothing is signed.",
        )
        .blocking(repositories, git_commit),
        Signature::new(
            "git_create_branch",
            Hints::ADDS,
            "Makes a branch from the current commit or from a base, without switching to it.",
        )
        .blocking(repositories, git_create_branch),
        Signature::new(
            "git_checkout",
            Hints::ENSURES,
            "Switches to a branch, or detaches HEAD at a tag or commit. Refused where local changes would be lost.",
        )
        .blocking(repositories, git_checkout),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CommitArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// Commit message.
    message: String,
}

fn git_commit(repositories: &Repositories, arguments: CommitArguments, _: &Cancel) -> Answer {
    let mut repository = repositories.named(arguments.repo_path.as_deref())?;
    let failed = |error: git2::Error| failure("cannot commit", &error);
    if arguments.message.len() > MESSAGE_BYTES_MAX {
        return Err(Failure::new(format!("'message' may have at most {MESSAGE_BYTES_MAX} bytes")));
    }
    let message = git2::message_prettify(arguments.message.as_str(), None).map_err(failed)?;
    if message.trim().is_empty() {
        return Err(Failure::new("'message' is empty"));
    }
    let merging = match repository.state() {
        RepositoryState::Clean => false,
        RepositoryState::Merge => true,
        state => return Err(Failure::new(format!("a {state:?} is going on; finish or abort it with git first"))),
    };
    let mut merged: Vec<Oid> = Vec::new();
    if merging {
        let collected = repository.mergehead_foreach(|id| {
            merged.push(*id);
            true
        });
        collected.map_err(failed)?;
    }
    let id = commit_index(&repository, &message, &merged)?;
    if merging {
        repository.cleanup_state().map_err(failed)?;
    }
    Ok(Outcome::text(format!("Changes committed successfully with hash {id}")))
}

fn commit_index(repository: &Repository, message: &str, merged: &[Oid]) -> Result<Oid, Failure> {
    let failed = |error: git2::Error| failure("cannot commit", &error);
    let mut index = repository.index().map_err(failed)?;
    if index.has_conflicts() {
        return Err(Failure::new("there are conflicts; resolve them and stage the files first"));
    }
    let head = match repository.head() {
        Ok(head) => Some(head.peel_to_commit().map_err(failed)?),
        Err(error) if error.code() == git2::ErrorCode::UnbornBranch => None,
        Err(error) => return Err(failed(error)),
    };
    let tree_id = index.write_tree().map_err(failed)?;
    let unchanged = match &head {
        Some(head) => head.tree_id() == tree_id,
        None => index.is_empty(),
    };
    if unchanged && merged.is_empty() {
        return Err(Failure::new("nothing is staged; stage changes with git_add first"));
    }
    let signature = repository.signature().map_err(|_| {
        Failure::new("Git does not know who commits: set user.name and user.email in Git's configuration")
    })?;
    let tree = repository.find_tree(tree_id).map_err(failed)?;
    let others: Result<Vec<Commit<'_>>, _> = merged.iter().map(|id| repository.find_commit(*id)).collect();
    let parents: Vec<Commit<'_>> = head.into_iter().chain(others.map_err(failed)?).collect();
    let parents: Vec<&Commit<'_>> = parents.iter().collect();
    repository.commit(Some("HEAD"), &signature, &signature, message, &tree, &parents).map_err(failed)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateBranchArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// Name of the new branch.
    branch_name: String,
    /// Branch or commit to start from; the current commit where left out.
    base_branch: Option<String>,
}

fn git_create_branch(repositories: &Repositories, arguments: CreateBranchArguments, _: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let name = arguments.branch_name.as_str();
    plain("branch_name", name)?;
    if !Branch::name_is_valid(name).unwrap_or(false) {
        return Err(Failure::new(format!("'branch_name' {name} is not a valid branch name")));
    }
    if is_local(&repository, name)? {
        return Err(Failure::new(format!("a branch {name} exists already")));
    }
    let base = arguments.base_branch.as_deref().unwrap_or("HEAD");
    let commit = resolve_commit(&repository, "base_branch", base)?;
    let made = repository.branch(name, &commit, false);
    made.map_err(|error| failure(&format!("cannot make the branch {name}"), &error))?;
    Ok(Outcome::text(format!("Created branch '{name}' from '{base}'")))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckoutArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// Branch to switch to, or a tag or commit.
    branch_name: String,
}

fn git_checkout(repositories: &Repositories, arguments: CheckoutArguments, _: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let name = arguments.branch_name.as_str();
    let commit = resolve_commit(&repository, "branch_name", name)?;
    if repository.state() != RepositoryState::Clean {
        let state = repository.state();
        return Err(Failure::new(format!("a {state:?} is going on; finish or abort it with git first")));
    }
    // The name of a branch goes before a tag or commit of the same name, as in Git.
    let is_branch = is_local(&repository, name)?;
    let commit =
        if is_branch { resolve_commit(&repository, "branch_name", &format!("refs/heads/{name}"))? } else { commit };
    let checked_out = repository.checkout_tree(commit.as_object(), Some(CheckoutBuilder::new().safe()));
    checked_out.map_err(|error| match error.code() {
        git2::ErrorCode::Conflict => {
            Failure::new(format!("local changes would be overwritten by {name}; commit or undo them first"))
        }
        _ => failure(&format!("cannot check out {name}"), &error),
    })?;
    let failed = |error: git2::Error| failure("cannot move HEAD", &error);
    if is_branch {
        repository.set_head(&format!("refs/heads/{name}")).map_err(failed)?;
        return Ok(Outcome::text(format!("Switched to branch '{name}'")));
    }
    repository.set_head_detached(commit.id()).map_err(failed)?;
    Ok(Outcome::text(format!("HEAD is now detached at {}", commit.id())))
}
