//! The Filesystem server: files and directories below the given roots, and nothing else.
//!
//! Every access goes through a directory handle that was opened on the root when the server started, so that neither
//! `..` nor a symbolic link, however it is swapped in between, leads out. An absolute symbolic link is refused even
//! where it points back inside; a hard link is a file like any other. Names and arguments of the tools follow the reference Filesystem server.

mod edit;
mod info;
mod limits;
mod list;
mod read;
mod roots;
mod search;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;

use crate::filesystem::roots::Roots;
use crate::mcp::server::Server;

/// Read, search and, with --write, change files below the given directories.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Directory to serve; may be given more than once. Relative paths belong to the first
    #[arg(long = "root", value_name = "DIR", required = true)]
    pub roots: Vec<PathBuf>,
    /// Offer the tools that write too; without it they do not exist
    #[arg(long)]
    pub write: bool,
}

pub(crate) fn server(options: &Options) -> anyhow::Result<Server> {
    ensure!(!options.roots.is_empty(), "give at least one --root DIR");
    let roots = Arc::new(Roots::open(&options.roots)?);
    let mut tools = Vec::new();
    tools.extend(read::tools(&roots));
    tools.extend(list::tools(&roots));
    tools.extend(search::tools(&roots));
    tools.extend(info::tools(&roots));
    if options.write {
        tools.extend(write::tools(&roots));
        tools.extend(edit::tools(&roots));
    }
    let access = if options.write { "Reading and writing" } else { "Reading only" };
    let instructions = format!(
        "{access} of files below: {}. Paths may be absolute, or relative to the first of these directories.",
        roots.shown().join(", ")
    );
    Ok(Server { name: "omni-filesystem", title: "Filesystem", instructions, tools, resources: None })
}
