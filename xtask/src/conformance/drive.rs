//! `cargo xtask conformance-client`: what the suite starts as the client under test: a hub whose one server is the
//! suite's, and a client script that drives the hub as the scenario wants it.

use super::servers::Hub;
use crate::peers;
use crate::peers::bounded;
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// How long the script may take; the suite has a limit of its own above this.
const SCRIPT_LIMIT: Duration = Duration::from_secs(50);

/// `cargo xtask conformance-client OMNI FOLDER same-era|other-era URL`, in the environment that the suite makes.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [omni, folder, column, url] = arguments else {
        bail!("conformance-client takes OMNI FOLDER same-era|other-era URL, as the suite gives them");
    };
    let folder = Path::new(folder);
    let revision = std::env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").context("the suite names no revision")?;
    let is_modern = revision == "2026-07-28";
    let era = if is_modern == (column == "same-era") { "modern" } else { "legacy" };
    let hub = Hub::start(Path::new(omni), &json!({ "suite": { "url": url } }), folder)?;
    let peers = peers::installed()?;
    let (node, script) = (peers.node.to_string_lossy(), peers.clients.join("scenario_client.mjs"));
    let words = [&*node, &*script.to_string_lossy(), &hub.url("/mcp/suite"), era];
    bounded::run_well(&words, folder, &folder.join("client.log"), SCRIPT_LIMIT)
}
