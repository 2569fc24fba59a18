//! Tools that show differences.

use std::sync::Arc;

use git2::{Diff, DiffFormat, DiffOptions, Repository, Tree};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::git::output::{OUTPUT_BYTES_MAX, Output};
use crate::git::repositories::{Repositories, failure, plain, resolve};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Bytes of a file whose lines are compared; a larger one is shown as binary.
const FILE_BYTES_MAX: i64 = 10 * 1024 * 1024;
/// Lines of context around a change.
const CONTEXT_LINES_MAX: u32 = 10_000;

pub(crate) fn tools(repositories: &Arc<Repositories>) -> Vec<Tool> {
    let limit = format!("At most {} KiB; the rest is counted.", OUTPUT_BYTES_MAX / 1024);
    vec![
        Signature::new(
            "git_diff_unstaged",
            Hints::READS,
            format!("Shows the changes in the working tree that are not staged yet, as a unified diff. {limit}"),
        )
        .blocking(repositories, diff_unstaged),
        Signature::new(
            "git_diff_staged",
            Hints::READS,
            format!("Shows the changes that are staged for the next commit, as a unified diff. {limit}"),
        )
        .blocking(repositories, diff_staged),
        Signature::new(
            "git_diff",
            Hints::READS,
            format!(
                "Shows what differs between a branch or commit and the working tree, or between two of them given as \
                 'one..other' ('one...other': since they parted). {limit}"
            ),
        )
        .blocking(repositories, diff_target),
    ]
}

/// Lines of context where none are asked for.
pub(crate) const CONTEXT_LINES: u32 = 3;

fn three() -> u32 {
    CONTEXT_LINES
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DiffArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// Lines of context around each change.
    #[serde(default = "three")]
    context_lines: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DiffTargetArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// Branch, commit or range to compare.
    target: String,
    /// Lines of context around each change.
    #[serde(default = "three")]
    context_lines: u32,
}

pub(crate) fn options(context_lines: u32) -> Result<DiffOptions, Failure> {
    if context_lines > CONTEXT_LINES_MAX {
        return Err(Failure::new(format!("'context_lines' may be at most {CONTEXT_LINES_MAX}")));
    }
    let mut options = DiffOptions::new();
    options.context_lines(context_lines).max_size(FILE_BYTES_MAX);
    Ok(options)
}

fn diff_unstaged(repositories: &Repositories, arguments: DiffArguments, cancel: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let diff = repository.diff_index_to_workdir(None, Some(&mut options(arguments.context_lines)?));
    answer(diff, cancel, "No unstaged changes")
}

fn diff_staged(repositories: &Repositories, arguments: DiffArguments, cancel: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    // Before the first commit everything staged is new.
    let head = repository.head().ok().and_then(|head| head.peel_to_tree().ok());
    let diff = repository.diff_tree_to_index(head.as_ref(), None, Some(&mut options(arguments.context_lines)?));
    answer(diff, cancel, "No staged changes")
}

fn diff_target(repositories: &Repositories, arguments: DiffTargetArguments, cancel: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let mut options = options(arguments.context_lines)?;
    let target = arguments.target.as_str();
    plain("target", target)?;
    let diff = match target.split_once("...").map(|range| (range, true)).or(target.split_once("..").map(|r| (r, false)))
    {
        Some(((old, new), since_parted)) => {
            let side = |name: &str| if name.is_empty() { "HEAD".to_owned() } else { name.to_owned() };
            let (old, new) = (side(old), side(new));
            let old_tree = if since_parted { parting(&repository, &old, &new)? } else { tree(&repository, &old)? };
            repository.diff_tree_to_tree(Some(&old_tree), Some(&tree(&repository, &new)?), Some(&mut options))
        }
        None => repository.diff_tree_to_workdir_with_index(Some(&tree(&repository, target)?), Some(&mut options)),
    };
    answer(diff, cancel, "No differences")
}

fn tree<'r>(repository: &'r Repository, revision: &str) -> Result<Tree<'r>, Failure> {
    let object = resolve(repository, "target", revision)?;
    object.peel_to_tree().map_err(|_| Failure::new(format!("'target' {revision} is neither a commit nor a directory")))
}

/// The tree of the best common ancestor.
fn parting<'r>(repository: &'r Repository, one: &str, other: &str) -> Result<Tree<'r>, Failure> {
    let (one_id, other_id) = (resolve(repository, "target", one)?.id(), resolve(repository, "target", other)?.id());
    let base = repository.merge_base(one_id, other_id);
    let base = base.map_err(|error| failure(&format!("{one} and {other} have no common ancestor"), &error))?;
    let commit = repository.find_commit(base).and_then(|commit| commit.tree());
    commit.map_err(|error| failure("cannot read the common ancestor", &error))
}

fn answer(diff: Result<Diff<'_>, git2::Error>, cancel: &Cancel, nothing: &str) -> Answer {
    let diff = diff.map_err(|error| failure("cannot compare", &error))?;
    let mut output = Output::default();
    print(&diff, &mut output, cancel)?;
    let text = output.into_text();
    Ok(Outcome::text(if text.is_empty() { nothing.to_owned() } else { text }))
}

/// Writes a diff as a patch.
pub(crate) fn print(diff: &Diff<'_>, output: &mut Output, cancel: &Cancel) -> Result<(), Failure> {
    let printed = diff.print(DiffFormat::Patch, |_, _, line| {
        if matches!(line.origin(), '+' | '-' | ' ') {
            output.push(&[line.origin() as u8]);
        }
        output.push(line.content());
        !cancel.is_raised()
    });
    cancel.check()?;
    printed.map_err(|error| failure("cannot show the difference", &error))
}
