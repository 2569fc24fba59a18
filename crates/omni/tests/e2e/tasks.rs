//! TRB-4 and VAL-5: calls that a server goes on with as tasks (extension `io.modelcontextprotocol/tasks`), through the hub.

use serde_json::{Value, json};

use crate::harness::peers::Peers;
use crate::harness::{Client, Era, HttpFixture, Hub, everything, in_time};
use crate::oauth::World;

/// Where a message says to which task of 2025-11-25 it belongs.
const RELATED: &str = "io.modelcontextprotocol/related-task";

fn able() -> Value {
    json!({ "elicitation": {}, "extensions": { "io.modelcontextprotocol/tasks": {} } })
}

/// Begins a task; its id.
async fn begin(client: &Client, tool: &str) -> String {
    // No other tool that becomes a task wants an argument.
    let arguments = if tool.ends_with("slow_compute") { json!({ "seconds": 0 }) } else { json!({}) };
    let result = client.result("tools/call", json!({ "name": tool, "arguments": arguments })).await;
    assert_eq!(result["resultType"], "task", "{result}");
    result["taskId"].as_str().unwrap().to_owned()
}

/// Asks until the task has ended; how it did.
async fn end(client: &Client, id: &str) -> Value {
    in_time("the task's end", async {
        loop {
            let state = client.result("tasks/get", json!({ "taskId": id })).await;
            assert_eq!(state["taskId"], id, "the client knows it by one name: {state}");
            if !matches!(state["status"].as_str(), Some("working" | "input_required")) {
                return state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_tasks_lead_back_to_the_server_that_runs_them() {
    let web = HttpFixture::start(&["--era", "modern"]);
    let hub = Hub::with(json!({ "web": web.entry(), "pipe": everything(&["--era", "modern"]) }));
    hub.awake().await;
    for server in ["web", "pipe"] {
        for (path, prefix) in [(format!("/mcp/{server}"), String::new()), ("/mcp".to_owned(), format!("{server}__"))] {
            let client = Client::able(&hub, &path, Era::Modern, able()).await;
            let about = client.result("server/discover", json!({})).await;
            assert!(about["capabilities"]["extensions"]["io.modelcontextprotocol/tasks"].is_object(), "{about}");
            let id = begin(&client, &format!("{prefix}slow_compute")).await;
            let ended = end(&client, &id).await;
            assert_eq!(ended["status"], "completed", "{ended}");
            assert!(ended["result"]["content"].is_array(), "{ended}");

            let id = begin(&client, &format!("{prefix}slow_compute")).await;
            client.result("tasks/cancel", json!({ "taskId": id })).await;
            end(&client, &id).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn val_5_a_task_is_reached_by_its_sealed_id_alone() {
    let web = HttpFixture::start(&["--era", "modern"]);
    let hub = Hub::with(json!({ "web": web.entry(), "pipe": everything(&["--era", "modern"]) }));
    let client = Client::able(&hub, "/mcp/web", Era::Modern, able()).await;
    let id = begin(&client, "slow_compute").await;
    // The server's own ids are short; what the client holds says nothing of them.
    for other in ["1".to_owned(), format!("{id}x"), id[1..].to_owned(), String::new()] {
        assert_eq!(client.error("tasks/get", json!({ "taskId": other })).await["code"], -32602, "{other}");
    }
    let elsewhere = Client::able(&hub, "/mcp/pipe", Era::Modern, able()).await;
    assert_eq!(elsewhere.error("tasks/get", json!({ "taskId": id })).await["code"], -32602);
    let everywhere = Client::able(&hub, "/mcp", Era::Modern, able()).await;
    assert_eq!(everywhere.result("tasks/get", json!({ "taskId": id })).await["taskId"], *id);

    let unaware = Client::open(&hub, "/mcp/web", Era::Modern).await;
    let error = unaware.error("tasks/get", json!({ "taskId": id })).await;
    assert_eq!(error["code"], -32021, "{error}");
    assert!(error["data"]["requiredCapabilities"]["extensions"]["io.modelcontextprotocol/tasks"].is_object());

    // What policy takes away is gone for the tasks of it too.
    hub.reconfigure(json!({
        "servers": { "web": web.entry(), "pipe": everything(&["--era", "modern"]) },
        "policy": { "deny": ["web:slow_compute"] },
    }));
    crate::harness::until("the denial", 20, async || {
        let answer = client.response("tasks/get", json!({ "taskId": id })).await;
        if answer["error"]["code"] == 403 { Ok(()) } else { Err(answer.to_string()) }
    })
    .await;
}

/// Tasks of 2025-11-25, another thing than the extension: the reference server's own, at `/mcp`, where ids are sealed.
#[tokio::test(flavor = "multi_thread")]
async fn trb_4_tasks_of_2025_11_25_lead_back_to_their_server() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("server-everything/dist/index.js");
    let hub = Hub::with(json!({
        "ev": { "command": peers.node, "args": [program, "stdio"] }, "new": everything(&["--era", "modern"]),
    }));
    hub.awake().await;
    let client = Client::able(&hub, "/mcp", Era::Legacy, json!({ "elicitation": {} })).await;
    let research = |ambiguous: bool| {
        let arguments = json!({ "topic": "python", "ambiguous": ambiguous });
        json!({ "name": "ev__simulate-research-query", "arguments": arguments, "task": { "ttl": 60_000 } })
    };
    let begun = client.result("tools/call", research(false)).await;
    let id = begun["task"]["taskId"].as_str().unwrap_or_else(|| panic!("no task: {begun}")).to_owned();
    let state = client.result("tasks/get", json!({ "taskId": id })).await;
    assert_eq!((&state["taskId"], &state["status"]), (&json!(id), &json!("working")), "{state}");
    // The answer comes when the task has ended.
    let done = in_time("the result", client.result("tasks/result", json!({ "taskId": id }))).await;
    assert!(done["content"][0]["text"].as_str().unwrap().contains("Research Report"), "{done}");
    assert_eq!(done["_meta"][RELATED]["taskId"], *id, "{done}");

    // Asked in between, on the stream of the result.
    let begun = client.result("tools/call", research(true)).await;
    let id = begun["task"]["taskId"].as_str().unwrap().to_owned();
    let mut stream = client.listen("tasks/result", json!({ "taskId": id })).await;
    let asked = in_time("the question", stream.message()).await;
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    assert_eq!(asked["params"]["_meta"][RELATED]["taskId"], *id, "{asked}");
    let content = json!({ "interpretation": "snake" });
    let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "action": "accept", "content": content } });
    assert_eq!(client.post(&answer.to_string(), &[]).await.status, 202);
    let done = in_time("the result", stream.message()).await;
    assert!(done["result"]["content"][0]["text"].as_str().unwrap().contains("snake"), "{done}");

    let begun = client.result("tools/call", research(false)).await;
    let id = begun["task"]["taskId"].as_str().unwrap().to_owned();
    let state = client.result("tasks/cancel", json!({ "taskId": id })).await;
    assert_eq!((&state["taskId"], &state["status"]), (&json!(id), &json!("cancelled")), "{state}");

    // What does not lead back to a task of this client's is none, and there is no common list.
    for other in ["1".to_owned(), format!("{id}x")] {
        assert_eq!(client.error("tasks/get", json!({ "taskId": other })).await["code"], -32602, "{other}");
    }
    let error = client.error("tasks/list", json!({})).await;
    assert_eq!((&error["code"], error["message"].as_str().unwrap().contains("tasks/list")), (&json!(-32601), true));
    // To a server of the other era no task is carried: the call is refused, and never made as another one.
    let slow = json!({ "name": "new__slow_compute", "arguments": { "seconds": 0 }, "task": {} });
    let error = client.error("tools/call", slow).await;
    assert_eq!(
        (&error["code"], error["message"].as_str().unwrap().contains("`new`")),
        (&json!(-32601), true),
        "{error}"
    );
}

/// Ids of tasks in a process that callers share lead nobody to another's, and no list names them.
#[tokio::test(flavor = "multi_thread")]
async fn val_5_tasks_of_2025_11_25_in_a_shared_process_are_each_callers_own() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("server-everything/dist/index.js");
    let entry = json!({ "command": peers.node, "args": [program, "stdio"] });
    let world = World::before(json!({ "ev": entry }), json!({}), json!({})).await;
    world.hub.awake().await;
    let ann = Caller::open(&world, "ann").await;
    let bob = Caller::open(&world, "bob").await;
    let arguments = json!({ "topic": "python", "ambiguous": false });
    let research = json!({ "name": "simulate-research-query", "arguments": arguments, "task": { "ttl": 60_000 } });
    let begun = ann.ask("tools/call", &research).await;
    let id = begun["result"]["task"]["taskId"].as_str().unwrap_or_else(|| panic!("no task: {begun}")).to_owned();
    let state = ann.ask("tasks/get", &json!({ "taskId": id })).await;
    assert_eq!(state["result"]["taskId"], *id, "{state}");
    let unknown = bob.ask("tasks/get", &json!({ "taskId": "unknown" })).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        let refused = bob.ask(method, &json!({ "taskId": id })).await;
        assert_eq!(refused["error"], unknown["error"], "{method}");
    }
    for caller in [&ann, &bob] {
        let list = caller.ask("tasks/list", &json!({})).await;
        assert_eq!(list["error"]["code"], -32601, "{list}");
        assert!(list["error"]["message"].as_str().unwrap().contains("sharing: session"), "{list}");
    }
    let done = in_time("the result", ann.ask("tasks/result", &json!({ "taskId": id }))).await;
    assert!(done["result"]["content"][0]["text"].as_str().unwrap().contains("Research Report"), "{done}");
}

/// Somebody with a session at the server's own endpoint.
struct Caller<'a> {
    world: &'a World,
    bearer: String,
    session: String,
}

impl<'a> Caller<'a> {
    const PATH: &'static str = "/mcp/ev";

    async fn open(world: &'a World, name: &str) -> Self {
        let claims = world.idp.claims(name, &world.resource(Self::PATH));
        let bearer = format!("Bearer {}", world.signed(&claims));
        let opened = world.initialize(Self::PATH, &[("authorization", &bearer)]).await;
        assert_eq!(opened.status, 200, "{opened:?}");
        let session = opened.headers["mcp-session-id"].to_str().unwrap().to_owned();
        Self { world, bearer, session }
    }

    /// The answer to a request, the last of what is said.
    async fn ask(&self, method: &str, params: &Value) -> Value {
        let headers = [
            ("authorization", self.bearer.as_str()),
            ("mcp-session-id", &self.session),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        let body = json!({ "jsonrpc": "2.0", "id": 2, "method": method, "params": params });
        let answer = self.world.post(Self::PATH, &headers, &body).await;
        let last = answer.messages().pop().unwrap_or_else(|| panic!("{method}: {answer:?}"));
        serde_json::from_str(&last).unwrap()
    }
}
