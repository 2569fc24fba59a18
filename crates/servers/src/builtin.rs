//! The choice of a built-in server, and the one call that runs it.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::mcp::serve;
use crate::{database, filesystem, git};

/// Which built-in server to run.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum BuiltIn {
    /// Files and directories below given roots
    Filesystem(filesystem::Options),
    /// Local Git repositories
    Git(git::Options),
    /// A SQLite or PostgreSQL database
    Database(database::Options),
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
        BuiltIn::Database(options) => database::server(&options)?,
    };
    serve::serve(server, reader, writer).await
}
