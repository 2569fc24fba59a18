//! GW-1, GW-2, TOOL-3: the clients of the SDKs in TypeScript and Python in front of the hub, on each transport that they speak
//! and in each era: they list, call, are asked, hear progress and logs, and let a call go.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::clients::stdio_words;
use crate::clients_table::{PYTHON_1, PYTHON_2, Road, Row, TS_1, TS_2};
use crate::harness::peers::Peers;
use crate::harness::puppet::Puppet;
use crate::harness::{Client, Era, HttpFixture, Hub, everything, in_time, until};

/// The prefixes of the conforming servers: of both eras, of an earlier one, of 2026-07-28.
const ASKING: [&str; 3] = ["s__", "old__", "new__"];

/// One SDK's client.
struct Sdk {
    program: PathBuf,
    /// Its driver (see `tests/peers/README.md`).
    script: PathBuf,
    /// Progress that comes together with the answer reaches its handler: in TypeScript the answer may overtake it, also
    /// without a hub.
    hears_the_last_step: bool,
    lets_go: bool,
}

impl Sdk {
    fn typescript(peers: &Peers, script: &str) -> Self {
        let (program, script) = (peers.node.clone(), peers.client(script));
        Self { program, script, hears_the_last_step: false, lets_go: true }
    }

    fn python(program: &Path, script: PathBuf, lets_go: bool) -> Self {
        Self { program: program.to_owned(), script, hears_the_last_step: true, lets_go }
    }

    /// Runs the driver; the one line that it prints.
    async fn run(&self, arguments: &[String], home: &Path, what: &str) -> Value {
        let mut command = Command::new(&self.program);
        command.arg(&self.script).args(arguments).env("HOME", home).kill_on_drop(true);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let output = in_time(what, command.output()).await.unwrap();
        let line = String::from_utf8_lossy(&output.stdout);
        let seen: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{what}: said {line:?}"));
        assert!(output.status.success() && seen.get("error").is_none(), "{what}: {seen}");
        seen
    }

    fn judge(&self, seen: &Value, what: &str) {
        for prefix in ASKING {
            let asked = &seen["asked"][prefix];
            for (tool, said) in [
                ("test_input_required_result_elicitation", "Hello, Ada!"),
                ("test_input_required_result_sampling", "Paris"),
                ("test_input_required_result_list_roots", "2 roots: file:///one, file:///two"),
                ("test_input_required_result_multiple_inputs", "Paris Ada, with 2 roots"),
                ("test_input_required_result_multi_round", "Ada likes green"),
                ("test_sampling", "LLM response: Paris"),
                ("test_elicitation", "\"username\":\"Ada\""),
            ] {
                let text = asked["texts"][tool].as_str().unwrap_or_default();
                assert!(text.contains(said), "{what}: {prefix}{tool}: {asked}");
            }
            let steps: Vec<f64> = asked["progress"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
            let whole = [0.0, 50.0, 100.0];
            let least = if self.hears_the_last_step { 3 } else { 2 };
            assert!(whole.starts_with(&steps) && steps.len() >= least, "{what}: {prefix} progress {steps:?}");
            // What the server of the earlier revision logs comes on its session's own stream, beside the call's.
            assert!(prefix == "old__" || asked["logged"] == 3, "{what}: {prefix} logged {}", asked["logged"]);
        }
    }
}

/// What a hub in front of these servers lists, by members of the drivers' lines.
async fn listed(hub: &Hub) -> [(&'static str, Vec<String>); 3] {
    let client = Client::open(hub, "/mcp", Era::Legacy).await;
    [
        ("tools", client.list("tools/list", "tools", "name").await.0),
        ("prompts", client.list("prompts/list", "prompts", "name").await.0),
        ("resources", client.list("resources/list", "resources", "uri").await.0),
    ]
}

/// One client on all of its roads, in one revision.
async fn on_each_road(row: &Row, sdk: &Sdk, version: &str, mode: Option<&str>) {
    let (old, new) = (HttpFixture::start(&["--era", "legacy"]), HttpFixture::start(&["--era", "modern"]));
    let mut puppet = Puppet::start().await;
    let hub = Hub::with(json!({
        "s": everything(&[]), "paged": everything(&["--page-size", "4"]),
        "old": old.entry(), "new": new.entry(), "puppet": puppet.entry(),
    }));
    hub.awake().await;
    let listed = listed(&hub).await;
    for (road, _) in row.cells.iter().map(|cell| (cell.road, cell.versions)).filter(|(_, all)| all.contains(&version)) {
        let what = format!("{} on {road:?} in {version}", row.client);
        let mut arguments = vec!["--call".to_owned(), "s__test_simple_text".to_owned(), "{}".to_owned()];
        arguments.extend(mode.into_iter().flat_map(|mode| ["--mode".to_owned(), mode.to_owned()]));
        arguments.extend(ASKING.into_iter().flat_map(|prefix| ["--ask".to_owned(), prefix.to_owned()]));
        if sdk.lets_go {
            arguments.extend(["--let-go".to_owned(), "puppet__wait".to_owned()]);
        }
        match road {
            Road::Http => arguments.push(format!("http://{}/mcp", hub.address)),
            Road::Sse => arguments.push(format!("http://{}/sse", hub.address)),
            Road::WebSocket => arguments.push(format!("ws://{}/mcp", hub.address)),
            Road::Stdio => arguments.extend(std::iter::once("--".to_owned()).chain(stdio_words(&hub))),
        }
        let cancelled = async {
            if sdk.lets_go {
                let before = puppet.cancelled();
                let _kept_open = puppet.call().await;
                until("the call is cancelled at the server", 30, async || match puppet.cancelled() - before {
                    0 => Err("it is not".to_owned()),
                    _ => Ok(()),
                })
                .await;
            }
        };
        let (seen, ()) = tokio::join!(sdk.run(&arguments, hub.home.path(), &what), cancelled);
        assert_eq!(seen["protocolVersion"], version, "{what}");
        assert_eq!(seen["call"]["content"][0]["text"], "This is a simple text response for testing.", "{what}: {seen}");
        assert_eq!(seen["letGo"].is_string(), sdk.lets_go, "{what}: {seen}");
        for (member, names) in &listed {
            let mut found: Vec<_> = seen[member].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            found.sort_unstable();
            names.sort_unstable();
            assert_eq!(found, names, "{what}: {member}");
        }
        sdk.judge(&seen, &what);
    }
    drop(listed);
    until("nothing is left in flight", 20, async || match hub.ready().await["calls"].as_u64() {
        Some(0) => Ok(()),
        calls => Err(format!("{calls:?} calls")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_typescript_sdk_1() {
    let Some(peers) = Peers::find() else { return };
    on_each_road(&TS_1, &Sdk::typescript(&peers, "ts_v1.mjs"), "2025-11-25", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_typescript_sdk_2_finds_the_era_out() {
    let Some(peers) = Peers::find() else { return };
    on_each_road(&TS_2, &Sdk::typescript(&peers, "ts_v2.mjs"), "2026-07-28", Some("auto")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_typescript_sdk_2_in_the_legacy_era() {
    let Some(peers) = Peers::find() else { return };
    on_each_road(&TS_2, &Sdk::typescript(&peers, "ts_v2.mjs"), "2025-11-25", Some("legacy")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_python_sdk_1() {
    let Some(peers) = Peers::find() else { return };
    let sdk = Sdk::python(&peers.python_sqlite, peers.client("python_v1.py"), false);
    on_each_road(&PYTHON_1, &sdk, "2025-11-25", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_python_sdk_2_finds_the_era_out() {
    let Some(peers) = Peers::find() else { return };
    let sdk = Sdk::python(&peers.python, peers.client("python_client.py"), true);
    on_each_road(&PYTHON_2, &sdk, "2026-07-28", Some("auto")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_python_sdk_2_in_the_legacy_era() {
    let Some(peers) = Peers::find() else { return };
    let sdk = Sdk::python(&peers.python, peers.client("python_client.py"), true);
    on_each_road(&PYTHON_2, &sdk, "2025-11-25", Some("legacy")).await;
}
