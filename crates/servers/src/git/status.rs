//! The tool that shows the state of the working tree.

use std::sync::Arc;

use git2::{Repository, Status, StatusOptions};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::git::output::Output;
use crate::git::repositories::{Repositories, failure};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Files of one answer.
const FILES_MAX: usize = 5_000;

pub(crate) fn tools(repositories: &Arc<Repositories>) -> Vec<Tool> {
    let files = json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": { "path": { "type": "string" }, "change": { "type": "string" } },
            "required": ["path", "change"],
        },
    });
    let output = json!({
        "type": "object",
        "properties": {
            "branch": { "type": ["string", "null"], "description": "Current branch; null when HEAD is detached" },
            "staged": files, "unstaged": files, "untracked": files, "conflicted": files,
            "truncated": { "type": "boolean" },
        },
        "required": ["branch", "staged", "unstaged", "untracked", "conflicted", "truncated"],
    });
    let description = "Shows the current branch and which files are staged, changed, untracked or in conflict.";
    vec![Signature::new("git_status", Hints::READS, description).returns(output).blocking(repositories, git_status)]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatusArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
}

const STAGED: [(Status, &str); 5] = [
    (Status::INDEX_NEW, "new file"),
    (Status::INDEX_MODIFIED, "modified"),
    (Status::INDEX_DELETED, "deleted"),
    (Status::INDEX_RENAMED, "renamed"),
    (Status::INDEX_TYPECHANGE, "typechange"),
];
const UNSTAGED: [(Status, &str); 4] = [
    (Status::WT_MODIFIED, "modified"),
    (Status::WT_DELETED, "deleted"),
    (Status::WT_RENAMED, "renamed"),
    (Status::WT_TYPECHANGE, "typechange"),
];
const UNTRACKED: [(Status, &str); 1] = [(Status::WT_NEW, "untracked")];
const CONFLICTED: [(Status, &str); 1] = [(Status::CONFLICTED, "conflicted")];

fn git_status(repositories: &Repositories, arguments: StatusArguments, _: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let mut options = StatusOptions::new();
    options.include_untracked(true).renames_head_to_index(true);
    let statuses =
        repository.statuses(Some(&mut options)).map_err(|error| failure("cannot read the status", &error))?;
    let mut lists: [Vec<(String, &str)>; 4] = Default::default();
    for entry in statuses.iter().take(FILES_MAX) {
        let path = String::from_utf8_lossy(entry.path_bytes()).into_owned();
        let kinds: [&[(Status, &str)]; 4] = [&STAGED, &UNSTAGED, &UNTRACKED, &CONFLICTED];
        for (list, kinds) in lists.iter_mut().zip(kinds) {
            if let Some((_, change)) = kinds.iter().find(|(flag, _)| entry.status().contains(*flag)) {
                list.push((path.clone(), change));
            }
        }
    }
    let truncated = statuses.len() > FILES_MAX;
    let (branch, place) = head_of(&repository)?;
    let mut output = Output::default();
    output.line(&place);
    let titles = ["Changes to be committed:", "Changes not staged for commit:", "Untracked files:", "Conflicts:"];
    for (title, list) in titles.iter().zip(&lists) {
        if !list.is_empty() {
            output.line(&format!("\n{title}"));
            list.iter().for_each(|(path, change)| output.line(&format!("  {change}: {path}")));
        }
    }
    if lists.iter().all(Vec::is_empty) {
        output.line("nothing to commit, working tree clean");
    }
    if truncated {
        output.line(&format!("(cut: {} files in all, {FILES_MAX} are shown)", statuses.len()));
    }
    let data = |list: &[(String, &str)]| -> Vec<Value> {
        list.iter().map(|(path, change)| json!({ "path": path, "change": change })).collect()
    };
    let [staged, unstaged, untracked, conflicted] = lists.each_ref().map(|list| data(list));
    let structured = json!({
        "branch": branch, "staged": staged, "unstaged": unstaged, "untracked": untracked, "conflicted": conflicted,
        "truncated": truncated,
    });
    Ok(Outcome::both(output.into_text().trim_end(), structured))
}

/// The current branch, and the sentence that says where HEAD is.
fn head_of(repository: &Repository) -> Result<(Option<String>, String), Failure> {
    let head = repository.find_reference("HEAD").map_err(|error| failure("cannot read HEAD", &error))?;
    if let Ok(Some(target)) = head.symbolic_target() {
        let name = target.strip_prefix("refs/heads/").unwrap_or(target).to_owned();
        let unborn = if repository.head().is_err() { "\n\nNo commits yet" } else { "" };
        let place = format!("On branch {name}{unborn}");
        return Ok((Some(name), place));
    }
    let commit = head.target().map(|id| id.to_string()).unwrap_or_default();
    Ok((None, format!("HEAD detached at {commit}")))
}
