//! The tool that lists branches.

use std::sync::Arc;

use git2::{Branch, BranchType, Oid, Repository};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::git::output::Output;
use crate::git::repositories::{Repositories, failure, resolve_commit};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Branches of one answer.
const BRANCHES_MAX: usize = 1_000;

pub(crate) fn tools(repositories: &Arc<Repositories>) -> Vec<Tool> {
    let branch = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "remote": { "type": "boolean" },
            "current": { "type": "boolean" },
            "commit": { "type": ["string", "null"] },
        },
        "required": ["name", "remote", "current", "commit"],
    });
    let output = json!({
        "type": "object",
        "properties": { "branches": { "type": "array", "items": branch }, "truncated": { "type": "boolean" } },
        "required": ["branches", "truncated"],
    });
    let description =
        "Lists branches; the current one is marked with *. May be narrowed to those that contain a commit.";
    vec![Signature::new("git_branch", Hints::READS, description).returns(output).blocking(repositories, git_branch)]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BranchArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// Which branches.
    #[serde(default)]
    branch_type: Kind,
    /// Only branches that contain this commit.
    contains: Option<String>,
    /// Only branches that do not contain this commit.
    not_contains: Option<String>,
}

#[derive(Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Local,
    Remote,
    All,
}

fn git_branch(repositories: &Repositories, arguments: BranchArguments, cancel: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let commit = |argument: &str, revision: &Option<String>| {
        let found = revision.as_deref().map(|revision| resolve_commit(&repository, argument, revision));
        found.transpose().map(|commit| commit.map(|commit| commit.id()))
    };
    let contains = commit("contains", &arguments.contains)?;
    let lacks = commit("not_contains", &arguments.not_contains)?;
    let kind = match arguments.branch_type {
        Kind::Local => Some(BranchType::Local),
        Kind::Remote => Some(BranchType::Remote),
        Kind::All => None,
    };
    let failed = |error: git2::Error| failure("cannot list the branches", &error);
    let (mut output, mut branches, mut truncated) = (Output::default(), Vec::new(), false);
    for branch in repository.branches(kind).map_err(failed)? {
        cancel.check()?;
        let (branch, kind) = branch.map_err(failed)?;
        let tip = tip_of(&branch);
        let wanted = contains.is_none_or(|commit| reaches(&repository, tip, commit))
            && lacks.is_none_or(|commit| !reaches(&repository, tip, commit));
        if !wanted {
            continue;
        }
        if branches.len() == BRANCHES_MAX {
            truncated = true;
            break;
        }
        let name = String::from_utf8_lossy(branch.name_bytes().map_err(failed)?).into_owned();
        let remote = kind == BranchType::Remote;
        let current = branch.is_head();
        let prefix = if remote && matches!(arguments.branch_type, Kind::All) { "remotes/" } else { "" };
        output.line(&format!("{} {prefix}{name}", if current { '*' } else { ' ' }));
        let commit = tip.map(|id| id.to_string());
        branches.push(json!({ "name": name, "remote": remote, "current": current, "commit": commit }));
    }
    if truncated {
        output.line(&format!("(cut: more than {BRANCHES_MAX} branches)"));
    }
    let text = if branches.is_empty() { "No branches".to_owned() } else { output.into_text() };
    Ok(Outcome::both(text.trim_end_matches('\n'), json!({ "branches": branches, "truncated": truncated })))
}

fn tip_of(branch: &Branch<'_>) -> Option<Oid> {
    branch.get().peel_to_commit().ok().map(|commit| commit.id())
}

fn reaches(repository: &Repository, tip: Option<Oid>, commit: Oid) -> bool {
    tip.is_some_and(|tip| tip == commit || repository.graph_descendant_of(tip, commit).unwrap_or(false))
}

/// Whether a local branch has this name.
pub(crate) fn is_local(repository: &Repository, name: &str) -> Result<bool, Failure> {
    match repository.find_branch(name, BranchType::Local) {
        Ok(_) => Ok(true),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(false),
        Err(error) => Err(failure(&format!("cannot look for the branch {name}"), &error)),
    }
}
