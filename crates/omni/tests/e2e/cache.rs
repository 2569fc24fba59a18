//! RES-3, CACHE-1, CACHE-4, EMG-3: what servers let the hub keep is given again, to whom it may be, for as long as it may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::acted::{Acted, Said, modern_hello};
use crate::harness::{Client, Era, Hub, everything, hub, until};
use crate::oauth::World;

const KEPT: &str = "dev.omni-mcp-hub/kept";

/// A server of 2026-07-28 whose resources each say for how long and for whom they may be kept, and how often it was asked.
struct Library {
    server: Acted,
    fails: Arc<AtomicBool>,
}

impl Library {
    async fn open() -> Self {
        let fails = Arc::new(AtomicBool::new(false));
        let (number, failing) = (AtomicUsize::new(0), Arc::clone(&fails));
        let server = Acted::start(move |asked| {
            let capabilities = json!({ "resources": {}, "tools": {} });
            let tools = json!([{ "name": "lend", "inputSchema": { "type": "object" } }]);
            if let Some(said) = modern_hello(asked, &capabilities, &tools) {
                return said;
            }
            let list = |member: &str, items: Value| {
                json!({ "resultType": "complete", "ttlMs": 0, "cacheScope": "private", member: items })
            };
            match asked.method() {
                "resources/list" => {
                    let all = ["public", "private", "none", "brief", "asks"]
                        .map(|name| json!({ "name": name, "uri": format!("lib://{name}") }));
                    Said::result(asked, list("resources", json!(all)))
                }
                "resources/templates/list" => Said::result(asked, list("resourceTemplates", json!([]))),
                "resources/read" if failing.load(Ordering::SeqCst) => Said::error(asked, 500, -32603, "the roof leaks"),
                "resources/read" => {
                    // Long enough for those who come at the same time to come while it is being read.
                    std::thread::sleep(Duration::from_millis(50));
                    let uri = asked.message["params"]["uri"].as_str().unwrap_or_default();
                    let (ttl_ms, scope) = match uri {
                        "lib://public" => (3_600_000, "public"),
                        "lib://private" => (3_600_000, "private"),
                        "lib://brief" => (1, "public"),
                        _ => (0, "private"),
                    };
                    let text = format!("{uri} {}", number.fetch_add(1, Ordering::SeqCst));
                    Said::result(
                        asked,
                        json!({ "resultType": "complete", "ttlMs": ttl_ms, "cacheScope": scope,
                            "contents": [{ "uri": uri, "text": text }] }),
                    )
                }
                _ => Said::error(asked, 404, -32601, "Method not found"),
            }
        })
        .await;
        Self { server, fails }
    }

    fn reads(&self) -> usize {
        self.server.asked("resources/read").len()
    }
}

async fn read(client: &Client, uri: &str) -> Value {
    client.result("resources/read", json!({ "uri": uri })).await
}

/// RES-3, CACHE-4: a resource that may be kept is asked for once, also when many want it at once; its age stands in the answer,
/// and its time is less by it.
#[tokio::test(flavor = "multi_thread")]
async fn res_3_many_readers_cost_one_read() {
    let library = Library::open().await;
    let hub = Hub::with(json!({ "lib": library.server.entry() }));
    hub.awake().await;
    let client = Arc::new(Client::open(&hub, "/mcp", Era::Modern).await);
    let mut readers = JoinSet::new();
    for _ in 0..100 {
        let client = Arc::clone(&client);
        readers.spawn(async move { read(&client, "lib://public").await["contents"].clone() });
    }
    let all = readers.join_all().await;
    assert!(all.iter().all(|contents| *contents == all[0]), "{all:?}");
    assert_eq!(library.reads(), 1);
    let again = read(&client, "lib://public").await;
    assert_eq!(again["_meta"][KEPT]["stale"], false, "{again}");
    // The hub's own bound is shorter than what the server allows.
    assert!(again["ttlMs"].as_u64().unwrap() <= 300_000, "{again}");
    // At another endpoint, and in the words of another era, it is another answer.
    let legacy = Client::open(&hub, "/mcp/lib", Era::Legacy).await;
    for _ in 0..2 {
        assert!(
            read(&legacy, "lib://public").await["contents"][0]["text"].as_str().unwrap().starts_with("lib://public")
        );
    }
    assert_eq!(library.reads(), 2);
    for _ in 0..2 {
        let read = read(&client, "lib://none").await;
        assert!(read["_meta"].get(KEPT).is_none() && read["ttlMs"] == 0, "{read}");
    }
    assert_eq!(library.reads(), 4);
}

/// CACHE-4: what a server says is one caller's is never another's; what is everybody's, policy permitting, is.
#[tokio::test(flavor = "multi_thread")]
async fn cache_4_what_is_anns_is_not_bobs() {
    let library = Library::open().await;
    let world = World::before(json!({ "lib": library.server.entry() }), json!({}), json!({})).await;
    world.hub.awake().await;
    let read = async |who: &str, uri: &str| {
        let bearer = format!("Bearer {}", world.token(who));
        let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "0" },
            "io.modelcontextprotocol/clientCapabilities": {} });
        let body =
            json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": { "uri": uri, "_meta": meta } });
        let headers = [
            ("authorization", bearer.as_str()),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "resources/read"),
            ("mcp-name", uri),
        ];
        let answer = world.post("/mcp", &headers, &body).await;
        answer.json()["result"]["contents"][0]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{}", answer.json()))
            .to_owned()
    };
    let anns = read("ann", "lib://private").await;
    assert_eq!(read("ann", "lib://private").await, anns, "also with another token of hers");
    let bobs = read("bob", "lib://private").await;
    assert_ne!(bobs, anns);
    assert_eq!((read("ann", "lib://private").await, read("bob", "lib://private").await), (anns, bobs));
    assert_eq!(read("ann", "lib://public").await, read("bob", "lib://public").await);
    assert_eq!(library.reads(), 3);
}

/// EMG-3: while a server fails, what was kept stands in and says so; and a policy that forbids it is asked first.
#[tokio::test(flavor = "multi_thread")]
async fn emg_3_what_was_kept_stands_in_for_a_server_that_fails() {
    let library = Library::open().await;
    let hub = Hub::with(json!({ "lib": library.server.entry() }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let fresh = read(&client, "lib://brief").await;
    let gone = read(&client, "lib://none").await;
    assert!(gone["contents"].is_array());
    drop(library.server);
    assert!(!library.fails.load(Ordering::SeqCst));
    let stale = read(&client, "lib://brief").await;
    assert_eq!((&stale["contents"], &stale["_meta"][KEPT]["stale"]), (&fresh["contents"], &json!(true)), "{stale}");
    assert_eq!(stale["ttlMs"], 0, "{stale}");
    let error = client.error("resources/read", json!({ "uri": "lib://none" })).await;
    assert!(error["message"].is_string(), "{error}");
}

/// CACHE-4: what a server itself answers, be it an error, is its answer: nothing kept takes its place.
#[tokio::test(flavor = "multi_thread")]
async fn cache_4_a_servers_own_error_is_told() {
    let library = Library::open().await;
    let hub = Hub::with(json!({ "lib": library.server.entry() }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    read(&client, "lib://brief").await;
    library.fails.store(true, Ordering::SeqCst);
    client.error("resources/read", json!({ "uri": "lib://brief" })).await;
}

/// CACHE-4: another configuration, a purge and a change of the server's lists each end what is kept; the figures tell.
#[tokio::test(flavor = "multi_thread")]
async fn cache_4_what_is_kept_is_forgotten_when_told() {
    let library = Library::open().await;
    let hub = Hub::with(json!({ "lib": library.server.entry() }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let omni = |arguments: &[&str]| {
        let mut command = hub::command(&hub.home);
        command
            .args(arguments)
            .arg("--config")
            .arg(hub.config_file())
            .env("OMNI_DATA_DIR", hub.home.path().join("data"));
        let done = command.stderr(std::process::Stdio::piped()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    for reads in 1..=2 {
        for _ in 0..3 {
            read(&client, "lib://public").await;
        }
        assert_eq!(library.reads(), reads);
        if reads == 1 {
            assert_eq!(omni(&["cache", "purge", "other"]).trim(), "forgotten: 0");
            assert_eq!(omni(&["cache", "purge", "lib", "lib://public"]).trim(), "forgotten: 1");
        }
    }
    let figures: Value = serde_json::from_str(&omni(&["cache", "stats", "--json"])).unwrap();
    assert_eq!(
        (&figures["hits"], &figures["entries"], &figures["kept"]),
        (&json!(4), &json!(1), &json!(2)),
        "{figures}"
    );
    assert!(omni(&["cache", "stats"]).contains("found 4 (66 %)"));
    // Under another policy it is asked for anew.
    let policy = json!({ "deny": ["lib:lib://none"] });
    hub.reconfigure(json!({ "servers": { "lib": library.server.entry() }, "policy": policy }));
    omni(&["reload"]);
    read(&client, "lib://public").await;
    assert_eq!(library.reads(), 3);
}

/// CACHE-4: a server of an earlier revision says nothing of keeping: the operator may, and updates are heard.
#[tokio::test(flavor = "multi_thread")]
async fn cache_4_a_rule_of_the_operators_serves_where_a_server_says_nothing() {
    let rules = json!([{ "match": "s:test://static-text", "ttl_s": 3600 }]);
    let servers = json!({ "s": everything(&["--era", "legacy"]) });
    let hub = Hub::configured(json!({ "servers": servers, "cache": { "resources": rules } }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Modern).await;
    let kept = async |uri: &str| read(&client, uri).await["_meta"].get(KEPT).is_some();
    assert!(!kept("test://static-text").await && kept("test://static-text").await);
    assert!(!kept("test://static-binary").await && !kept("test://static-binary").await, "no rule covers it");
    client.call("s__test_trigger_resource_change", json!({})).await;
    until("the change is heard", 20, async || {
        if kept("test://static-text").await { Err("it is still given".to_owned()) } else { Ok(()) }
    })
    .await;
    assert!(kept("test://static-text").await);
}

/// CACHE-1: a setting that is none is named with its place.
#[test]
fn cache_1_a_setting_that_is_none_is_named_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    let text = "servers: {}\ncache:\n  resources:\n    - { match: \"a:*\", ttl_s: 90000 }\n";
    std::fs::write(home.path().join("omni.yaml"), text).unwrap();
    let done = hub::command(&home).args(["check"]).stderr(std::process::Stdio::piped()).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(!done.status.success() && said.contains("cache.resources") && said.contains(":4:"), "{said}");
}
