//! GW-1 and TOOL-3: Claude Code itself, logged out and without a network, looks after the hub: `claude mcp add`, `list`, `get`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::clients::stdio_words;
use crate::clients_table::{CLAUDE, Road};
use crate::harness::hub::OMNI;
use crate::harness::peers::Peers;
use crate::harness::{Hub, everything, in_time, until};

/// Claude Code at home in a folder of its own.
struct Claude {
    program: PathBuf,
    home: PathBuf,
}

/// Runs `program` with a clean environment, at home in `home`; what it says.
async fn run(program: &Path, home: &Path, arguments: &[String]) -> String {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home).current_dir(home);
    command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    command.env("DISABLE_TELEMETRY", "1").env("DISABLE_AUTOUPDATER", "1");
    // Whatever it might want of the world, it asks a port for that nobody listens on.
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(proxy, "http://127.0.0.1:9");
    }
    command.env("NO_PROXY", "127.0.0.1");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let what = format!("{} {}", program.display(), arguments.join(" "));
    let output = in_time(&what, command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

impl Claude {
    fn at_home(hub: &Hub, peers: &Peers) -> Self {
        let home = hub.home.path().join("claude");
        std::fs::create_dir(&home).unwrap();
        Self { program: peers.claude(), home }
    }

    async fn mcp(&self, words: &[&str]) -> String {
        let words: Vec<String> = std::iter::once("mcp").chain(words.iter().copied()).map(str::to_owned).collect();
        run(&self.program, &self.home, &words).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_claude_code_finds_the_hub_well_on_each_road() {
    let Some(peers) = Peers::find() else { return };
    let hub = Hub::with(json!({ "s": everything(&[]) }));
    hub.awake().await;
    let claude = Claude::at_home(&hub, &peers);
    for cell in CLAUDE.cells {
        let name = format!("{:?}", cell.road);
        let web = hub.address;
        match cell.road {
            Road::Http => claude.mcp(&["add", "--transport", "http", &name, &format!("http://{web}/mcp")]).await,
            Road::Sse => claude.mcp(&["add", "--transport", "sse", &name, &format!("http://{web}/sse")]).await,
            // There is no word for it on the command line yet, but the configuration knows it.
            Road::WebSocket => {
                let entry = json!({ "type": "ws", "url": format!("ws://{web}/mcp") }).to_string();
                claude.mcp(&["add-json", &name, &entry]).await
            }
            Road::Stdio => {
                let words = stdio_words(&hub);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                claude.mcp(&[&["add", name.as_str(), "--"], words.as_slice()].concat()).await
            }
        };
    }
    // That it says so of a server that is none, too, is what makes the others worth something.
    claude.mcp(&["add", "--transport", "http", "nobody", "http://127.0.0.1:9/mcp"]).await;
    let list = claude.mcp(&["list"]).await;
    let health = |name: &str| list.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap_or_default();
    assert!(health("nobody").contains("Failed to connect"), "{list}");
    for cell in CLAUDE.cells {
        let name = format!("{:?}", cell.road);
        assert!(health(&name).ends_with("Connected"), "{name}: {list}");
        let one = claude.mcp(&["get", &name]).await;
        assert!(one.lines().any(|line| line.contains("Status:") && line.ends_with("Connected")), "{one}");
    }
    until("what Claude Code opened and started is gone", 20, async || {
        let (sessions, processes) = (hub.ready().await["sessions"].as_u64().unwrap(), hub.processes());
        // The hub's own are its guards and what they guard; the others were started by an `omni stdio`.
        let own = |pid: i32| processes.iter().any(|guard| guard.pid == pid && guard.parent == hub.pid);
        let others = processes.iter().filter(|process| !own(process.pid) && !own(process.parent)).count();
        if sessions == 0 && others == 0 { Ok(()) } else { Err(format!("{sessions} sessions, {others} processes")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_claude_code_takes_what_connect_wrote() {
    let Some(peers) = Peers::find() else { return };
    let hub = Hub::with(json!({ "s": everything(&[]) }));
    let claude = Claude::at_home(&hub, &peers);
    let url = format!("http://{}/mcp", hub.address);
    let connect = |more: &[&str]| ["connect", "claude", "--yes"].iter().chain(more).map(|w| (*w).to_owned()).collect();
    let wanted: Vec<String> = connect(&["--url", &url]);
    run(Path::new(OMNI), &claude.home, &wanted).await;
    let one = claude.mcp(&["get", "omni"]).await;
    assert!(one.contains("User config") && one.contains("Connected"), "{one}");
    let undone: Vec<String> = connect(&["--undo"]);
    run(Path::new(OMNI), &claude.home, &undone).await;
    let list = claude.mcp(&["list"]).await;
    assert!(!list.contains("omni"), "{list}");
}
