//! Tools that show commits and what they hold.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use git2::{Commit, ObjectType, Repository, Sort};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::git::dates::{Edge, parse_date};
use crate::git::diff::{CONTEXT_LINES, options, print};
use crate::git::output::{Output, written};
use crate::git::repositories::{Repositories, failure, resolve};
use crate::mcp::cancel::Cancel;
use crate::mcp::failure::Failure;
use crate::mcp::tool::{Answer, Hints, Outcome, Signature, Tool};

/// Commits of one answer.
const COMMITS_MAX: usize = 1_000;
/// Bytes of a commit message in a log.
const MESSAGE_BYTES_MAX: usize = 4_096;

pub(crate) fn tools(repositories: &Arc<Repositories>) -> Vec<Tool> {
    let text = json!({ "type": "string" });
    let commit = json!({
        "type": "object",
        "properties": { "hash": text, "author": text, "email": text, "date": text, "message": text },
        "required": ["hash", "author", "email", "date", "message"],
    });
    let log = json!({
        "type": "object",
        "properties": { "commits": { "type": "array", "items": commit } },
        "required": ["commits"],
    });
    vec![
        Signature::new(
            "git_log",
            Hints::READS,
            format!(
                "Lists the commits of the current branch, newest first, at most {COMMITS_MAX}. Times without a zone are \
                 UTC: '2026-01-15', '2026-01-15T14:30:25', 'Jan 15 2026', '2 weeks ago', 'yesterday'."
            ),
        )
        .returns(log)
        .blocking(repositories, git_log),
        Signature::new(
            "git_show",
            Hints::READS,
            "Shows a commit with its changes, or a file or directory given as <revision>:<path>.",
        )
        .blocking(repositories, git_show),
    ]
}

fn ten() -> usize {
    10
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LogArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// How many commits.
    #[serde(default = "ten")]
    max_count: usize,
    /// Only commits from this time on.
    start_timestamp: Option<String>,
    /// Only commits up to this time.
    end_timestamp: Option<String>,
}

fn git_log(repositories: &Repositories, arguments: LogArguments, cancel: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
    let bound = |name: &str, text: &Option<String>, edge| match text {
        None => Ok(None),
        Some(text) => parse_date(text, now, edge).map(Some).ok_or_else(|| {
            Failure::new(format!("'{name}' {text} is not a time; write 2026-01-15, 2026-01-15T14:30:25 or 2 weeks ago"))
        }),
    };
    let from = bound("start_timestamp", &arguments.start_timestamp, Edge::Start)?;
    let to = bound("end_timestamp", &arguments.end_timestamp, Edge::End)?;
    if arguments.max_count > COMMITS_MAX {
        return Err(Failure::new(format!("'max_count' may be at most {COMMITS_MAX}")));
    }
    let failed = |error: git2::Error| failure("cannot read the history", &error);
    let mut walk = repository.revwalk().map_err(failed)?;
    walk.set_sorting(Sort::TIME).map_err(failed)?;
    walk.push_head().map_err(|_| Failure::new("there are no commits yet on the current branch"))?;
    let (mut output, mut commits) = (Output::default(), Vec::new());
    for id in walk {
        cancel.check()?;
        if commits.len() == arguments.max_count {
            break;
        }
        let commit = repository.find_commit(id.map_err(failed)?).map_err(failed)?;
        let seconds = commit.time().seconds();
        if from.is_some_and(|from| seconds < from) || to.is_some_and(|to| seconds > to) {
            continue;
        }
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        let message = cut_at_char(&message, MESSAGE_BYTES_MAX);
        let author = commit.author();
        let name = String::from_utf8_lossy(author.name_bytes()).into_owned();
        let email = String::from_utf8_lossy(author.email_bytes()).into_owned();
        let date = written(author.when());
        output.line(&format!(
            "Commit: {id}\nAuthor: {name} <{email}>\nDate: {date}\nMessage: {message}",
            id = commit.id()
        ));
        let hash = commit.id().to_string();
        commits.push(json!({ "hash": hash, "author": name, "email": email, "date": date, "message": message }));
    }
    let text = if commits.is_empty() { "No commits in this range".to_owned() } else { output.into_text() };
    Ok(Outcome::both(text, json!({ "commits": commits })))
}

fn cut_at_char(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShowArguments {
    /// Repository; may be left out where one is served.
    repo_path: Option<String>,
    /// Commit, branch or tag, or <revision>:<path>.
    revision: String,
}

fn git_show(repositories: &Repositories, arguments: ShowArguments, cancel: &Cancel) -> Answer {
    let repository = repositories.named(arguments.repo_path.as_deref())?;
    let object = resolve(&repository, "revision", &arguments.revision)?;
    let mut output = Output::default();
    match object.kind() {
        Some(ObjectType::Blob) => {
            let blob = object.peel_to_blob().map_err(|error| failure("cannot read the file", &error))?;
            if blob.is_binary() {
                return Err(Failure::new(format!("{} is a binary file of {} bytes", arguments.revision, blob.size())));
            }
            output.push(blob.content());
        }
        Some(ObjectType::Tree) => {
            let tree = object.peel_to_tree().map_err(|error| failure("cannot read the directory", &error))?;
            for entry in &tree {
                let slash = if entry.kind() == Some(ObjectType::Tree) { "/" } else { "" };
                output.line(&format!("{}{slash}", String::from_utf8_lossy(entry.name_bytes())));
            }
        }
        _ => {
            if let Some(tag) = object.as_tag() {
                let name = String::from_utf8_lossy(tag.name_bytes());
                output.line(&format!(
                    "tag {name}\n\n{}",
                    String::from_utf8_lossy(tag.message_bytes().unwrap_or_default())
                ));
            }
            let commit = object.peel_to_commit().map_err(|error| failure("cannot read the commit", &error))?;
            show_commit(&repository, &commit, &mut output, cancel)?;
        }
    }
    Ok(Outcome::text(output.into_text()))
}

/// The commit's head and its difference to the first parent.
fn show_commit(
    repository: &Repository,
    commit: &Commit<'_>,
    output: &mut Output,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let author = commit.author();
    output.line(&format!(
        "commit {}\nAuthor: {} <{}>\nDate:   {}\n",
        commit.id(),
        String::from_utf8_lossy(author.name_bytes()),
        String::from_utf8_lossy(author.email_bytes()),
        written(author.when())
    ));
    for line in String::from_utf8_lossy(commit.message_bytes()).trim_end().lines() {
        output.line(&format!("    {line}"));
    }
    output.line("");
    let failed = |error: git2::Error| failure("cannot compare with the parent", &error);
    let parent = match commit.parent_count() {
        0 => None,
        _ => Some(commit.parent(0).and_then(|parent| parent.tree()).map_err(failed)?),
    };
    let tree = commit.tree().map_err(failed)?;
    let diff = repository
        .diff_tree_to_tree(parent.as_ref(), Some(&tree), Some(&mut options(CONTEXT_LINES)?))
        .map_err(failed)?;
    print(&diff, output, cancel)
}
