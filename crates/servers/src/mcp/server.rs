//! What a server is made of: its name, its tools, its resources.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::mcp::cancel::Cancel;
use crate::mcp::message::Fault;
use crate::mcp::tool::Tool;

/// One server: its name and what it offers. The list of tools is fixed for the life of the process.
pub(crate) struct Server {
    /// Machine name, the same in every version.
    pub(crate) name: &'static str,
    /// Name for people.
    pub(crate) title: &'static str,
    /// What a model should know before it calls anything.
    pub(crate) instructions: String,
    /// The tools, in the order they are listed.
    pub(crate) tools: Vec<Tool>,
    /// The resources, where the server has any.
    pub(crate) resources: Option<Arc<dyn Resources>>,
}

/// What a server shows as resources.
pub(crate) trait Resources: Send + Sync {
    /// All resources, bounded by the implementation.
    fn list(&self, cancel: Cancel) -> BoxFuture<'_, Result<Vec<Value>, Fault>>;
    /// The URI templates.
    fn templates(&self) -> Vec<Value>;
    /// The contents of one resource; `None` when there is no such resource.
    fn read(&self, uri: String, cancel: Cancel) -> BoxFuture<'_, Result<Option<Vec<Value>>, Fault>>;
}
