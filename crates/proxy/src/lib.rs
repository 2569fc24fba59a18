//! The MCP Proxy: connections, processes and catalogs of the servers behind the hub.

pub mod settings;
