//! GW-3: the protocol's reference servers behind the hub, in both eras, at both kinds of endpoint.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::hub::OMNI;
use crate::harness::peers::Peers;
use crate::harness::{Client, Era, HttpFixture, Hub, everything, http, until};

/// Runs `look` in both eras at both endpoints of `server`; it is given the client and the prefix of names.
pub(crate) async fn everywhere(hub: &Hub, server: &str, look: impl AsyncFn(&Client, &str)) {
    for era in Era::BOTH {
        for (path, prefix) in [("/mcp".to_owned(), format!("{server}__")), (format!("/mcp/{server}"), String::new())] {
            eprintln!("{server} at {path} in the {era:?} era");
            look(&Client::open(hub, &path, era).await, &prefix).await;
        }
    }
}

/// Lists, one call of each kind, and progress, as the reference server "everything" has them.
pub(crate) async fn look_at_everything(client: &Client, prefix: &str) {
    let tools = client.tools().await;
    assert!(tools.contains(&format!("{prefix}echo")), "{tools:?}");
    assert_eq!(client.text(&format!("{prefix}echo"), json!({ "message": "hi" })).await, "Echo: hi");
    let sum = client.text(&format!("{prefix}get-sum"), json!({ "a": 20, "b": 22 })).await;
    assert!(sum.contains("42"), "{sum}");

    let (uris, _) = client.list("resources/list", "resources", "uri").await;
    let document = uris.iter().find(|uri| uri.starts_with("demo://resource/static/document/")).unwrap();
    let read = client.result("resources/read", json!({ "uri": document })).await;
    assert_eq!(read["contents"][0]["uri"], *document);
    assert!(!read["contents"][0]["text"].as_str().unwrap().is_empty());
    let (templates, _) = client.list("resources/templates/list", "resourceTemplates", "uriTemplate").await;
    assert!(!templates.is_empty());
    let made = client.result("resources/read", json!({ "uri": "demo://resource/dynamic/text/1" })).await;
    assert!(made["contents"][0]["text"].as_str().unwrap().contains('1'), "{made}");

    let (prompts, _) = client.list("prompts/list", "prompts", "name").await;
    assert!(prompts.contains(&format!("{prefix}args-prompt")), "{prompts:?}");
    let params = json!({ "name": format!("{prefix}args-prompt"), "arguments": { "city": "Paris" } });
    let prompt = client.result("prompts/get", params).await;
    assert!(prompt["messages"][0]["content"]["text"].as_str().unwrap().contains("Paris"), "{prompt}");
    let reference = json!({ "type": "ref/prompt", "name": format!("{prefix}completable-prompt") });
    let params = json!({ "ref": reference, "argument": { "name": "department", "value": "E" } });
    let completion = client.result("completion/complete", params).await;
    assert_eq!(completion["completion"]["values"], json!(["Engineering"]));

    for token in [json!("a token of its own"), json!(77)] {
        let name = format!("{prefix}trigger-long-running-operation");
        let arguments = json!({ "duration": 0.3, "steps": 3 });
        let params = json!({ "name": name, "arguments": arguments, "_meta": { "progressToken": token } });
        let mut events = client.listen("tools/call", params).await;
        for step in 1..=3 {
            let progress = events.message().await;
            assert_eq!(progress["method"], "notifications/progress", "{progress}");
            assert_eq!((&progress["params"]["progressToken"], &progress["params"]["progress"]), (&token, &json!(step)));
        }
        let answer = events.message().await;
        assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("completed"), "{answer}");
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_npm_everything_on_stdio() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("server-everything/dist/index.js");
    let hub = Hub::with(json!({ "all": { "command": peers.node, "args": [program, "stdio"] } }));
    everywhere(&hub, "all", look_at_everything).await;
}

/// A server on a port; its guard ends it when this is dropped, or the test dies.
pub(crate) struct Listening(Child);

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
    }
}

impl Listening {
    /// Runs `program` with `arguments`, which is told its port in the variable PORT; where it listens.
    pub(crate) async fn on_a_port(program: &Path, arguments: &[&std::ffi::OsStr]) -> (Self, std::net::SocketAddr) {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(OMNI);
        command.args(["guard", "--"]).arg(program).args(arguments).env("PORT", address.port().to_string());
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let listening = Self(process);
        until("the server listens", 30, async || {
            tokio::net::TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string())
        })
        .await;
        (listening, address)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_npm_everything_on_streamable_http() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("server-everything/dist/index.js");
    let (_listening, address) = Listening::on_a_port(&peers.node, &[program.as_ref(), "streamableHttp".as_ref()]).await;
    let hub = Hub::with(json!({ "all": { "url": format!("http://{address}/mcp") } }));
    everywhere(&hub, "all", look_at_everything).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_npm_filesystem() {
    let Some(peers) = Peers::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::write(root.join("a.txt"), "a text\n").unwrap();
    let program = peers.module("server-filesystem/dist/index.js");
    let hub = Hub::with(json!({ "files": { "command": peers.node, "args": [program, root] } }));
    everywhere(&hub, "files", async |client, prefix| {
        assert!(client.tools().await.contains(&format!("{prefix}read_text_file")));
        let text = client.text(&format!("{prefix}read_text_file"), json!({ "path": root.join("a.txt") })).await;
        assert_eq!(text, "a text\n");
        let params = json!({ "name": format!("{prefix}read_text_file"), "arguments": { "path": "/etc/hostname" } });
        assert_eq!(client.result("tools/call", params).await["isError"], true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_npm_memory() {
    let Some(peers) = Peers::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let env = json!({ "MEMORY_FILE_PATH": folder.path().join("memory.jsonl") });
    let program = peers.module("server-memory/dist/index.js");
    let hub = Hub::with(json!({ "memory": { "command": peers.node, "args": [program], "env": env } }));
    let made = std::sync::atomic::AtomicU32::new(0);
    everywhere(&hub, "memory", async |client, prefix| {
        assert!(client.tools().await.contains(&format!("{prefix}read_graph")));
        let name = format!("entity {}", made.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let entity = json!({ "name": name, "entityType": "thing", "observations": ["seen"] });
        client.call(&format!("{prefix}create_entities"), json!({ "entities": [entity] })).await;
        let graph = client.call(&format!("{prefix}read_graph"), json!({})).await;
        assert!(graph["structuredContent"]["entities"].to_string().contains(&name), "{graph}");
    })
    .await;
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"]).args(arguments);
    assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success(), "git {arguments:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_pypi_git() {
    let Some(peers) = Peers::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().canonicalize().unwrap();
    git(&repository, &["init", "-q", "-b", "main"]);
    std::fs::write(repository.join("a.txt"), "a text\n").unwrap();
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-q", "-m", "the first commit"]);
    let arguments = json!(["-m", "mcp_server_git", "--repository", repository]);
    let hub = Hub::with(json!({ "git": { "command": peers.python, "args": arguments } }));
    everywhere(&hub, "git", async |client, prefix| {
        assert!(client.tools().await.contains(&format!("{prefix}git_log")));
        let log = client.text(&format!("{prefix}git_log"), json!({ "repo_path": repository })).await;
        assert!(log.contains("the first commit"), "{log}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_pypi_time() {
    let Some(peers) = Peers::find() else { return };
    let arguments = json!(["-m", "mcp_server_time", "--local-timezone", "UTC"]);
    let hub = Hub::with(json!({ "time": { "command": peers.python, "args": arguments } }));
    everywhere(&hub, "time", async |client, prefix| {
        assert!(client.tools().await.contains(&format!("{prefix}convert_time")));
        let arguments = json!({ "source_timezone": "UTC", "target_timezone": "Asia/Tokyo", "time": "03:30" });
        let converted = client.text(&format!("{prefix}convert_time"), arguments).await;
        assert!(converted.contains("12:30"), "{converted}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_pypi_sqlite() {
    let Some(peers) = Peers::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = peers.python_sqlite.with_file_name("mcp-server-sqlite");
    let arguments = json!(["--db-path", folder.path().join("a.db")]);
    let hub = Hub::with(json!({ "db": { "command": program, "args": arguments } }));
    let client = Client::open(&hub, "/mcp/db", Era::Legacy).await;
    client.call("create_table", json!({ "query": "CREATE TABLE t (n INTEGER)" })).await;
    client.call("write_query", json!({ "query": "INSERT INTO t VALUES (41), (1)" })).await;
    everywhere(&hub, "db", async |client, prefix| {
        assert!(client.tools().await.contains(&format!("{prefix}read_query")));
        let sum = client.text(&format!("{prefix}read_query"), json!({ "query": "SELECT sum(n) AS s FROM t" })).await;
        assert!(sum.contains("42"), "{sum}");
        let read = client.result("resources/read", json!({ "uri": "memo://insights" })).await;
        assert!(read["contents"][0]["text"].is_string(), "{read}");
        let params = json!({ "name": format!("{prefix}mcp-demo"), "arguments": { "topic": "pears" } });
        let prompt = client.result("prompts/get", params).await;
        assert!(prompt["messages"][0]["content"]["text"].as_str().unwrap().contains("pears"), "{prompt}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_1_lists_hold_every_page_of_a_server() {
    let whole = HttpFixture::start(&[]);
    let paged = HttpFixture::start(&["--page-size", "3"]);
    let servers = json!({ "whole": whole.entry(), "paged": paged.entry(), "piped": everything(&["--page-size", "3"]) });
    let hub = Hub::with(servers);
    for era in Era::BOTH {
        for (method, member, key) in [
            ("tools/list", "tools", "name"),
            ("prompts/list", "prompts", "name"),
            ("resources/list", "resources", "uri"),
            ("resources/templates/list", "resourceTemplates", "uriTemplate"),
        ] {
            let mut lists = Vec::new();
            for server in ["whole", "paged", "piped"] {
                let client = Client::open(&hub, &format!("/mcp/{server}"), era).await;
                lists.push(client.list(method, member, key).await.0);
            }
            assert!(!lists[0].is_empty(), "{method}");
            assert!(lists.iter().all(|list| *list == lists[0]), "{method}: {lists:?}");
            // Three servers of one kind: nothing is lost, nothing is there twice.
            let client = Client::open(&hub, "/mcp", era).await;
            let (all, _) = client.list(method, member, key).await;
            assert_eq!(all.len(), 3 * lists[0].len(), "{method}: {all:?}");
            assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{method}: {all:?}");
            assert_eq!(client.list(method, member, key).await.0, all, "{method}: the order changed");
        }
    }
}

/// The hub's own pages: enough servers that one page does not hold their tools.
#[tokio::test(flavor = "multi_thread")]
async fn tool_1_the_hubs_own_pages_and_cursors() {
    let fixture = HttpFixture::start(&["--era", "modern"]);
    let servers: serde_json::Map<String, Value> =
        (0..40).map(|number| (format!("s{number:02}"), fixture.entry())).collect();
    let hub = Hub::with(Value::Object(servers));
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let (one, _) = Client::open(&hub, "/mcp/s07", Era::Modern).await.list("tools/list", "tools", "name").await;
    until("every server is there", 20, async || {
        let list = client.result("tools/list", json!({})).await;
        let absent = &list["_meta"]["dev.omni-mcp-hub/absentServers"];
        if absent.is_null() { Ok(()) } else { Err(absent.to_string()) }
    })
    .await;
    let (all, pages) = client.list("tools/list", "tools", "name").await;
    assert_eq!(all.len(), 40 * one.len());
    assert_eq!(pages, all.len().div_ceil(1000));
    assert!(pages > 1);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    let first = client.result("tools/list", json!({})).await;
    let cursor = first["nextCursor"].as_str().unwrap();
    for (method, cursor) in [("tools/list", "forged"), ("prompts/list", cursor), ("tools/list", &cursor[1..])] {
        let error = client.error(method, json!({ "cursor": cursor })).await;
        assert_eq!(error["code"], -32602, "{method} {cursor}: {error}");
    }
    let elsewhere = Client::open(&hub, "/mcp/s07", Era::Modern).await;
    assert_eq!(elsewhere.error("tools/list", json!({ "cursor": cursor })).await["code"], -32602);
    assert_eq!(http::get(hub.address, "/healthz", &[]).await.status, 200);
}
