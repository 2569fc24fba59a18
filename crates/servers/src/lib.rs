//! The built-in MCP servers of the hub: Filesystem, Git and Database, each a process that speaks MCP on stdin and stdout.
//!
//! They run as children of the hub on the same road as any other server, with nothing else to install (GW-3). All three
//! only read unless started with `--write`. Nothing but MCP goes to stdout; notes for the operator go to stderr.

pub mod filesystem;
pub mod git;
mod mcp;

use tokio::io::{AsyncRead, AsyncWrite};

/// Which built-in server to run.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum BuiltIn {
    /// Files and directories below given roots
    Filesystem(filesystem::Options),
    /// Local Git repositories
    Git(git::Options),
}

/// Speaks MCP on stdin and stdout until stdin ends.
///
/// # Errors
/// When the options name something that cannot be served, or stdin cannot be read.
pub async fn serve(which: BuiltIn) -> anyhow::Result<()> {
    serve_streams(which, tokio::io::stdin(), tokio::io::stdout()).await
}

/// Speaks MCP on any pair of byte streams until the reading one ends.
///
/// # Errors
/// When the options name something that cannot be served, or the stream cannot be read.
pub async fn serve_streams<R, W>(which: BuiltIn, reader: R, writer: W) -> anyhow::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let server = match which {
        BuiltIn::Filesystem(options) => filesystem::server(&options)?,
        BuiltIn::Git(options) => git::server(&options)?,
    };
    mcp::serve::serve(server, reader, writer).await
}
