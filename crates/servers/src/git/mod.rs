//! The Git server: the given repositories, read and, with `--write`, changed on this machine only.
//!
//! The work is done by libgit2 inside this process, built without any network transport. It starts no program: hooks,
//! clean and smudge filters, external diff and text conversion programs, signing programs and fsmonitor, whatever a
//! repository's configuration says, are not run. Names and arguments of the tools follow the reference Git server;
//! `repo_path` may be left out where one repository is served.

mod branches;
mod change;
mod dates;
mod diff;
mod history;
mod output;
mod repositories;
mod stage;
mod status;

use std::path::PathBuf;
use std::sync::Arc;

use crate::git::repositories::Repositories;
use crate::mcp::server::Server;

/// Read and, with --write, change local Git repositories.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Repository to serve, or a directory in it; may be given more than once
    #[arg(long = "repository", value_name = "DIR", default_value = ".")]
    pub repositories: Vec<PathBuf>,
    /// Offer the tools that stage, commit and switch too; without it they do not exist
    #[arg(long)]
    pub write: bool,
}

pub(crate) fn server(options: &Options) -> anyhow::Result<Server> {
    let repositories = Arc::new(Repositories::open(&options.repositories)?);
    let mut tools = Vec::new();
    tools.extend(status::tools(&repositories));
    tools.extend(diff::tools(&repositories));
    tools.extend(history::tools(&repositories));
    tools.extend(branches::tools(&repositories));
    if options.write {
        tools.extend(stage::tools(&repositories));
        tools.extend(change::tools(&repositories));
    }
    let access = if options.write { "Reading and changing" } else { "Reading only" };
    let instructions = format!(
        "{access} of the Git repositories: {}. Nothing is fetched or pushed, and no hooks are run.",
        repositories.shown().join(", ")
    );
    Ok(Server { name: "omni-git", title: "Git", instructions, tools, resources: None })
}
