//! GW-1 and TOOL-1: subscriptions to resources and lists, shared by many clients, in front of servers of either era.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::http::Events;
use crate::harness::peers::Peers;
use crate::harness::{Client, Era, HttpFixture, Hub, bad, everything, in_time, processes, until};

const UPDATED: &str = "notifications/resources/updated";
const TOOLS: &str = "notifications/tools/list_changed";
const ID: &str = "io.modelcontextprotocol/subscriptionId";
pub(crate) const WATCHED: &str = "test://watched-resource";

/// A client and the stream on which it hears.
pub(crate) struct Hearing {
    pub(crate) client: Client,
    stream: Events,
    /// The URIs that are honoured.
    pub(crate) honoured: BTreeSet<String>,
}

impl Hearing {
    /// A client at `path` that hears of changed tools, and of `uris`.
    pub(crate) async fn of(hub: &Hub, path: &str, era: Era, uris: &[&str]) -> Self {
        let client = Client::open(hub, path, era).await;
        let (stream, honoured) = match era {
            Era::Legacy => {
                let stream = client.stream().await;
                let mut honoured = BTreeSet::new();
                for uri in uris {
                    let response = client.response("resources/subscribe", json!({ "uri": uri })).await;
                    if response.get("result").is_some() {
                        honoured.insert((*uri).to_owned());
                    }
                }
                (stream, honoured)
            }
            Era::Modern => {
                let wanted = json!({ "toolsListChanged": true, "resourceSubscriptions": uris });
                let mut stream = client.listen("subscriptions/listen", json!({ "notifications": wanted })).await;
                let said = stream.message().await;
                assert_eq!(said["method"], "notifications/subscriptions/acknowledged", "{said}");
                assert!(said["params"]["_meta"][ID].is_number(), "{said}");
                assert_eq!(said["params"]["notifications"]["toolsListChanged"], true, "{said}");
                let honoured = said["params"]["notifications"]["resourceSubscriptions"].as_array().cloned();
                let honoured =
                    honoured.unwrap_or_default().iter().map(|uri| uri.as_str().unwrap().to_owned()).collect();
                (stream, honoured)
            }
        };
        Self { client, stream, honoured }
    }

    async fn next(&mut self) -> Value {
        let message = self.stream.message().await;
        let is_tagged = message["params"]["_meta"][ID].is_number();
        assert_eq!(is_tagged, self.client.session.is_none(), "{message}");
        message
    }

    /// The URIs of the updates up to the next change of tools.
    async fn updates(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            let message = self.next().await;
            match message["method"].as_str().unwrap() {
                UPDATED => found.push(message["params"]["uri"].as_str().unwrap().to_owned()),
                TOOLS => return found,
                _ => {}
            }
        }
    }

    /// Waits for an update of `uri`.
    pub(crate) async fn hears(&mut self, uri: &str) {
        in_time(uri, async {
            loop {
                let message = self.next().await;
                if message["method"] == UPDATED && message["params"]["uri"] == uri {
                    return;
                }
            }
        })
        .await;
    }
}

/// Waits until the server is subscribed to so many resources.
async fn subscribed(hub: &Hub, server: &str, wanted: u64) {
    until("the number of subscriptions", 30, async || {
        let found = hub.server(server).await["subscriptions"].as_u64().unwrap();
        if found == wanted { Ok(()) } else { Err(format!("{found} of `{server}`, not {wanted}")) }
    })
    .await;
}

/// Both eras of servers, on both transports; the process or port lives as long as the guard.
async fn in_front_of_each(look: impl AsyncFn(&Hub, &str)) {
    for era in ["legacy", "modern"] {
        let web = HttpFixture::start(&["--era", era]);
        let hub = Hub::with(json!({ "web": web.entry(), "pipe": everything(&["--era", era]) }));
        hub.awake().await;
        for server in ["web", "pipe"] {
            eprintln!("{server} of the {era} era");
            look(&hub, server).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_updates_reach_each_subscriber_once_whatever_the_eras() {
    in_front_of_each(async |hub, server| {
        let path = format!("/mcp/{server}");
        let mut hearing = Vec::new();
        for era in [Era::Legacy, Era::Modern, Era::Legacy, Era::Modern] {
            hearing.push(Hearing::of(hub, &path, era, &[WATCHED]).await);
        }
        let mut deaf = Vec::new();
        for era in Era::BOTH {
            deaf.push(Hearing::of(hub, &path, era, &["test://static-text"]).await);
        }
        subscribed(hub, server, if server == "web" && hub_is_legacy(hub, server).await { 5 } else { 2 }).await;
        hearing[0].client.call("test_trigger_resource_update", json!({ "uri": WATCHED })).await;
        for one in &mut hearing {
            assert_eq!(one.honoured.len(), 1);
            one.hears(WATCHED).await;
        }
        // What comes next is the change of the list: no update came twice, and none to who did not ask.
        hearing[0].client.call("test_trigger_tool_change", json!({})).await;
        for one in hearing.iter_mut().chain(&mut deaf) {
            assert_eq!(one.updates().await, Vec::<String>::new());
        }
        // Ended in each way there is: by request, with the stream, with the session.
        let last = hearing.pop().unwrap();
        assert_eq!(hearing[0].client.result("resources/unsubscribe", json!({ "uri": WATCHED })).await, json!({}));
        assert_eq!(hearing[2].client.delete().await, 200);
        hearing.remove(1);
        drop((last, deaf));
        hearing[0].client.call("test_trigger_resource_update", json!({ "uri": WATCHED })).await;
        hearing[0].client.call("test_trigger_tool_change", json!({})).await;
        assert_eq!(hearing[0].updates().await, Vec::<String>::new());
        // Of the session that did not subscribe only the end is left to come.
        drop(hearing);
        until("nothing is subscribed to any more", 30, async || {
            let left = hub.server(server).await["subscriptions"].as_u64().unwrap();
            // The deaf client of the legacy era never ended its session.
            if left <= 1 { Ok(()) } else { Err(left.to_string()) }
        })
        .await;
    })
    .await;
}

async fn hub_is_legacy(hub: &Hub, server: &str) -> bool {
    hub.server(server).await["revisions"].to_string().contains("2025")
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_resources_of_one_uri_are_subscribed_to_apart() {
    let hub = Hub::with(json!({ "a": everything(&["--era", "modern"]), "b": everything(&["--era", "legacy"]) }));
    hub.awake().await;
    for era in Era::BOTH {
        let look = Client::open(&hub, "/mcp", era).await;
        let (uris, _) = look.list("resources/list", "resources", "uri").await;
        let of_both: Vec<&str> =
            uris.iter().filter(|uri| uri.ends_with("watched-resource")).map(String::as_str).collect();
        let ([a, b], [plain, named]) = (["a", "b"], of_both[..].try_into().unwrap());
        let mut hearing = Hearing::of(&hub, "/mcp", era, &of_both).await;
        assert_eq!(hearing.honoured.len(), 2, "{:?}", hearing.honoured);
        for (server, uri) in [(a, plain), (b, named), (a, plain)] {
            let tool = format!("{server}__test_trigger_resource_update");
            hearing.client.call(&tool, json!({ "uri": WATCHED })).await;
            let heard = in_time(uri, hearing.next()).await;
            assert_eq!((&heard["method"], &heard["params"]["uri"]), (&json!(UPDATED), &json!(uri)), "{era:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_2_what_policy_denies_is_not_subscribed_to() {
    let servers = json!({ "s": everything(&["--era", "modern"]), "old": everything(&["--era", "legacy"]) });
    let policy = json!({ "deny": ["s:test://static-text", "old:test://static-text"] });
    let hub = Hub::configured(json!({ "servers": servers, "policy": policy }));
    hub.awake().await;
    for server in ["s", "old"] {
        let path = format!("/mcp/{server}");
        for era in Era::BOTH {
            let hearing = Hearing::of(&hub, &path, era, &["test://static-text", WATCHED]).await;
            assert_eq!(hearing.honoured, BTreeSet::from([WATCHED.to_owned()]), "{server}, {era:?}");
        }
        let client = Client::open(&hub, &path, Era::Legacy).await;
        let denied = client.error("resources/subscribe", json!({ "uri": "test://static-text" })).await;
        assert_eq!(denied["code"], 403, "{denied}");
    }
    let nowhere = Hearing::of(&hub, "/mcp", Era::Modern, &["nowhere://at/all", "omni://s/test://static-text"]).await;
    assert!(nowhere.honoured.is_empty(), "{:?}", nowhere.honoured);
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    assert_eq!(client.error("resources/subscribe", json!({ "uri": "nowhere://at/all" })).await["code"], -32002);
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_subscriptions_outlive_a_crash_of_their_server() {
    for server_era in ["legacy", "modern"] {
        let hub = Hub::with(json!({ "pipe": everything(&["--era", server_era]) }));
        hub.awake().await;
        let mut hearing = Vec::new();
        for era in Era::BOTH {
            hearing.push(Hearing::of(&hub, "/mcp/pipe", era, &[WATCHED]).await);
        }
        let server = hub.processes().into_iter().find(|process| process.command.starts_with(&fixture())).unwrap();
        processes::signal(server.pid, Signal::KILL);
        // Nobody calls: the hub itself starts the server again, and what may have been missed is told.
        for one in &mut hearing {
            one.hears(WATCHED).await;
        }
        hearing[0].client.call("test_trigger_resource_update", json!({ "uri": WATCHED })).await;
        for one in &mut hearing {
            one.hears(WATCHED).await;
        }
    }
}

fn fixture() -> String {
    crate::harness::fixture::program().display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_1_subscriptions_outlive_a_restart_of_a_server_behind_http() {
    for server_era in ["legacy", "modern"] {
        let first = HttpFixture::start(&["--era", server_era]);
        let address = first.address();
        let hub = Hub::with(json!({ "web": first.entry() }));
        hub.awake().await;
        let mut hearing = Vec::new();
        for era in Era::BOTH {
            hearing.push(Hearing::of(&hub, "/mcp/web", era, &[WATCHED]).await);
        }
        drop(first);
        let _second = HttpFixture::start_at(&address, &["--era", server_era]);
        for one in &mut hearing {
            one.hears(WATCHED).await;
        }
        until("the server is called again", 30, async || {
            let update = json!({ "name": "test_trigger_resource_update", "arguments": { "uri": WATCHED } });
            let response = hearing[1].client.response("tools/call", update).await;
            if response.get("result").is_some() { Ok(()) } else { Err(response.to_string()) }
        })
        .await;
        for one in &mut hearing {
            one.hears(WATCHED).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_3_subscriptions_go_on_when_their_server_is_replaced() {
    let entry = |page: &str| json!({ "s": everything(&["--era", "modern", "--page-size", page]) });
    let hub = Hub::with(entry("5"));
    hub.awake().await;
    let mut hearing = Vec::new();
    for era in Era::BOTH {
        hearing.push(Hearing::of(&hub, "/mcp/s", era, &[WATCHED]).await);
    }
    hub.reconfigure(json!({ "servers": entry("7") }));
    for one in &mut hearing {
        one.hears(WATCHED).await;
    }
    hearing[0].client.call("test_trigger_resource_update", json!({ "uri": WATCHED })).await;
    for one in &mut hearing {
        one.hears(WATCHED).await;
    }
    // Without the server there is no endpoint left to listen at: the stream is ended in good order.
    hub.reconfigure(json!({ "servers": { "other": everything(&[]) } }));
    let mut modern = hearing.pop().unwrap();
    let last = in_time("the end", async {
        loop {
            let message = modern.next_of_any_kind().await;
            if message.get("result").is_some() {
                return message;
            }
        }
    })
    .await;
    assert_eq!(last["result"]["resultType"], "complete", "{last}");
    assert_eq!(last["result"]["_meta"][ID], last["id"]);
    assert_eq!(modern.stream.next().await, None);
}

impl Hearing {
    async fn next_of_any_kind(&mut self) -> Value {
        self.stream.message().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_hub_that_stops_ends_its_streams_in_good_order() {
    let mut hub = Hub::with(json!({ "s": everything(&["--era", "legacy"]) }));
    hub.awake().await;
    let mut hearing = Hearing::of(&hub, "/mcp/s", Era::Modern, &[WATCHED]).await;
    hub.terminate();
    let last = in_time("the end", hearing.next_of_any_kind()).await;
    assert_eq!(last["result"], json!({ "resultType": "complete", "_meta": { ID: last["id"] } }), "{last}");
    assert_eq!(hearing.stream.next().await, None);
    assert_eq!(hub.stopped(), Some(0));
}

/// Many clients come and go: the server has one stream, and every client hears what it asked for.
#[tokio::test(flavor = "multi_thread")]
async fn pool_1_many_clients_share_what_the_server_is_told() {
    const CLIENTS: usize = 24;
    let web = HttpFixture::start(&["--era", "modern"]);
    let hub = std::sync::Arc::new(Hub::with(json!({ "web": web.entry() })));
    hub.awake().await;
    let mut coming = JoinSet::new();
    for number in 0..CLIENTS {
        let hub = std::sync::Arc::clone(&hub);
        coming.spawn(async move {
            let own = format!("test://template/{}/data", number % 4);
            let mut hearing = Hearing::of(&hub, "/mcp/web", Era::BOTH[number / 4 % 2], &[&own, WATCHED]).await;
            assert_eq!(hearing.honoured.len(), 2, "{:?}", hearing.honoured);
            hearing.client.call("test_trigger_resource_update", json!({ "uri": own })).await;
            hearing.hears(&own).await;
            (hearing, own)
        });
    }
    let mut all = coming.join_all().await;
    subscribed(&hub, "web", 5).await;
    // Two thirds leave; what they alone wanted is given up, and those who stay hear on.
    all.truncate(CLIENTS / 3);
    all[0].0.client.call("test_trigger_resource_update", json!({ "uri": WATCHED })).await;
    for (hearing, own) in &mut all {
        hearing.hears(WATCHED).await;
        let count = hub.server("web").await["links"].as_u64().unwrap();
        assert_eq!(count, 1, "clients of both eras share one link to `web` ({own})");
    }
    drop(all);
    let left = until("streams are released", 30, async || {
        let left = hub.server("web").await["subscriptions"].as_u64().unwrap();
        if left <= 5 { Ok(left) } else { Err(left.to_string()) }
    })
    .await;
    assert!(left <= 5);
}

/// The reference server "everything", of the legacy era.
#[tokio::test(flavor = "multi_thread")]
async fn gw_3_updates_of_the_reference_server() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("server-everything/dist/index.js");
    let hub = Hub::with(json!({ "ev": { "command": peers.node, "args": [program, "stdio"] } }));
    hub.awake().await;
    let document = "demo://resource/static/document/features.md";
    let mut hearing = Vec::new();
    for era in Era::BOTH {
        for path in ["/mcp", "/mcp/ev"] {
            hearing.push(Hearing::of(&hub, path, era, &[document]).await);
        }
    }
    subscribed(&hub, "ev", 1).await;
    hearing[1].client.call("toggle-subscriber-updates", json!({})).await;
    for one in &mut hearing {
        assert_eq!(one.honoured.len(), 1);
        one.hears(document).await;
    }
}

/// The TypeScript SDK as a client, in whichever era it finds.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_typescript_sdk_2_hears_of_updates() {
    let Some(peers) = Peers::find() else { return };
    let hub = Hub::with(json!({ "old": everything(&["--era", "legacy"]), "new": everything(&["--era", "modern"]) }));
    hub.awake().await;
    for mode in ["auto", "legacy"] {
        for server in ["old", "new"] {
            let url = format!("http://{}/mcp/{server}", hub.address);
            let mut command = Command::new(&peers.node);
            command.arg(peers.client("ts_v2_watch.mjs")).args([&url, mode, WATCHED, "test_trigger_resource_update"]);
            let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output().unwrap());
            let output = in_time("the SDK", output).await.unwrap();
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let seen: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told:?}, {output:?}"));
            assert_eq!(seen["updated"], WATCHED, "{mode}, {server}: {seen}");
            if mode == "auto" {
                assert_eq!(seen["honored"]["resourceSubscriptions"], json!([WATCHED]), "{seen}");
                // Its stream ended with it. The session of the other mode it leaves to be found idle.
                subscribed(&hub, server, 0).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_server_without_subscriptions_is_not_asked_for_any() {
    let hub = Hub::with(json!({ "s": bad(&["hang"]) }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp/s", Era::Legacy).await;
    let error = client.error("resources/subscribe", json!({ "uri": "a://b" })).await;
    assert_eq!(error["code"], -32601, "{error}");
    assert!(error["message"].as_str().unwrap().contains("`s`"), "{error}");
    let hearing = Hearing::of(&hub, "/mcp/s", Era::Modern, &["a://b"]).await;
    assert!(hearing.honoured.is_empty());
}
