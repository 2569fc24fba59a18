//! The built-in servers driven as a client drives them: MCP in, MCP out (GW-3).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod attacks;
mod client;
mod cluster;
mod filesystem;
mod git;
mod postgres;
mod protocol;
mod sqlite;
mod stdio;
