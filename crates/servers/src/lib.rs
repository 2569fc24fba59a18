//! The built-in MCP servers of the hub: Filesystem, Git and Database, each a process that speaks MCP on stdin and stdout.
//!
//! They run as children of the hub on the same road as any other server, with nothing else to install (GW-3). All three
//! only read unless started with `--write`. Nothing but MCP goes to stdout; notes for the operator go to stderr.

mod builtin;
pub mod database;
pub mod filesystem;
pub mod git;
mod mcp;

pub use builtin::{BuiltIn, serve, serve_streams};
