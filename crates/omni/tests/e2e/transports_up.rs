//! GW-1: the older and the other ways to servers: HTTP+SSE of 2024-11-05, batches of 2025-03-26, streams that are taken up
//! where they broke off.

use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::broadcast;

use crate::harness::hub::OMNI;
use crate::harness::peers::Peers;
use crate::harness::told::{Asked, begin_events, reply, reply_json, say, told};
use crate::harness::{Client, Era, Hub, until};
use crate::real_servers::{Listening, everywhere, look_at_everything};

/// What a server of one tool says to what every conversation begins with; `None` to a `tools/call`.
pub(crate) fn hello(message: &Value) -> Option<Value> {
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"], "capabilities": { "tools": {} },
            "serverInfo": { "name": "scripted", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [{ "name": "t", "inputSchema": { "type": "object" } }] }),
        "tools/call" => return None,
        method => {
            let error = json!({ "code": -32601, "message": format!("no {method}") });
            return Some(json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }));
        }
    };
    Some(json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }))
}

pub(crate) fn text_answer(id: &Value, text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [{ "type": "text", "text": text }] } })
}

/// A call of the tool `t` at `/mcp/s`.
async fn call_t(hub: &Hub, era: Era) -> Value {
    let client = Client::open(hub, "/mcp/s", era).await;
    client.response("tools/call", json!({ "name": "t", "arguments": {} })).await
}

// Real servers.

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_npm_everything_on_http_and_sse_is_found_and_told() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("server-everything/dist/index.js");
    let (_listening, address) = Listening::on_a_port(&peers.node, &[program.as_ref(), "sse".as_ref()]).await;
    let url = format!("http://{address}/sse");
    let hub = Hub::with(json!({ "found": { "url": url }, "told": { "url": url, "transport": "sse" } }));
    everywhere(&hub, "found", look_at_everything).await;
    everywhere(&hub, "told", look_at_everything).await;
    for name in ["found", "told"] {
        assert_eq!(hub.server(name).await["transport"], "sse");
    }
}

/// The Python SDK's server of the first generation, which has HTTP+SSE and WebSocket.
pub(crate) struct Python {
    process: Child,
    pub(crate) port: u64,
}

impl Python {
    pub(crate) fn start(peers: &Peers, arguments: &[&str]) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/peers/servers/python_v1.py");
        let mut command = Command::new(OMNI);
        command.args(["guard", "--"]).arg(&peers.python_sqlite).arg(program).args(arguments);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = serde_json::from_str::<Value>(&line).unwrap()["port"].as_u64().unwrap();
        Self { process, port }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
    }
}

/// Calls, headers of the entry and progress, as `python_v1.py` has them.
pub(crate) async fn look_at_python(client: &Client, prefix: &str) {
    assert_eq!(client.text(&format!("{prefix}echo"), json!({ "text": "hé" })).await, "hé");
    let name = format!("{prefix}steps");
    let params = json!({ "name": name, "arguments": {}, "_meta": { "progressToken": "p" } });
    let mut events = client.listen("tools/call", params).await;
    for step in 1..=3 {
        let progress = events.message().await;
        assert_eq!(
            (&progress["params"]["progressToken"], progress["params"]["progress"].as_f64()),
            (&json!("p"), Some(f64::from(step)))
        );
    }
    assert_eq!(events.message().await["result"]["content"][0]["text"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_python_on_http_and_sse() {
    let Some(peers) = Peers::find() else { return };
    let python = Python::start(&peers, &[]);
    let url = format!("http://127.0.0.1:{}/sse", python.port);
    let hub = Hub::with(json!({ "py": { "url": url, "headers": { "X-From": "the entry" } } }));
    everywhere(&hub, "py", look_at_python).await;
    let client = Client::open(&hub, "/mcp/py", Era::Legacy).await;
    assert_eq!(client.text("header", json!({ "name": "x-from" })).await, "the entry");
    assert_eq!(hub.server("py").await["transport"], "sse");
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_the_sdks_polling_example_is_waited_for() {
    let Some(peers) = Peers::find() else { return };
    let program = peers.module("sdk/dist/esm/examples/server/ssePollingExample.js");
    // Its port stands in its text; a test takes a free one.
    let listen = "import net from 'node:net'; const listen = net.Server.prototype.listen; \
                  net.Server.prototype.listen = function (port, ...rest) { \
                  return listen.call(this, Number(process.env.PORT), '127.0.0.1'); };";
    let import = format!("data:text/javascript,{}", listen.replace(' ', "%20"));
    let arguments = ["--import".as_ref(), import.as_ref(), program.as_os_str()];
    let (_listening, address) = Listening::on_a_port(&peers.node, &arguments).await;
    let hub = Hub::with(json!({ "s": { "url": format!("http://{address}/mcp") } }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp/s", era).await;
        assert_eq!(client.text("long-task", json!({})).await, "Long task completed successfully!");
    }
}

// HTTP+SSE, attacked.

/// A server of HTTP+SSE whose `tools/call` does what `call` says; each stream hears `said`.
async fn sse_server<F>(
    endpoint: &'static str,
    call: impl Fn(Value, broadcast::Sender<String>, TcpStream) -> F + Clone + Send + Sync + 'static,
) -> String
where
    F: Future<Output = ()> + Send + 'static,
{
    let (said, _) = broadcast::channel::<String>(64);
    let address = told(move |asked: Asked, mut stream: TcpStream| {
        let (said, call) = (said.clone(), call.clone());
        async move {
            match asked.method.as_str() {
                "GET" => {
                    let mut hears = said.subscribe();
                    begin_events(&mut stream).await;
                    say(&mut stream, &format!(": hello\n\nevent: endpoint\ndata: {endpoint}\n\n")).await;
                    while let Ok(data) = hears.recv().await {
                        if data == "END" || !say(&mut stream, &data).await {
                            return;
                        }
                    }
                }
                _ if asked.path == "/sse" => reply(&mut stream, "405 Method Not Allowed", "", "").await,
                _ => {
                    let message = asked.message();
                    match hello(&message) {
                        Some(answer) => {
                            let _no_stream = said.send(format!("data: {answer}\n\n"));
                            reply(&mut stream, "202 Accepted", "", "Accepted").await;
                        }
                        None => call(message, said, stream).await,
                    }
                }
            }
        }
    })
    .await;
    format!("http://{address}/sse")
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_an_endpoint_that_leads_elsewhere_is_not_followed() {
    let elsewhere: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let hears = Arc::clone(&elsewhere);
    let trap = told(move |asked, _stream| {
        hears.lock().unwrap().push(asked);
        std::future::ready(())
    })
    .await;
    let endpoint: &'static str = Box::leak(format!("http://{trap}/messages").into_boxed_str());
    let url = sse_server(endpoint, async |_, _, _| {}).await;
    let hub = Hub::with(json!({ "s": { "url": url, "headers": { "Authorization": "Bearer secret" } } }));
    let answer = call_t(&hub, Era::Modern).await;
    let said = answer["error"]["message"].as_str().unwrap();
    assert!(said.contains("leads away from"), "{answer}");
    assert!(elsewhere.lock().unwrap().is_empty(), "{elsewhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_stream_that_ends_in_a_call_is_told_and_opened_again() {
    let url = sse_server("/messages?s=1", async |message, said, mut stream| {
        let id = message["id"].clone();
        match said.receiver_count() {
            // The first call ends the stream instead of being answered.
            _ if message["params"]["arguments"]["end"] == true => {
                reply(&mut stream, "202 Accepted", "", "").await;
                let _ = said.send("END".to_owned());
            }
            _ if message["params"]["arguments"]["refuse"] == true => {
                reply(&mut stream, "500 Internal Server Error", "", "no room").await;
            }
            _ => {
                let _ = said.send(format!(
                    "data: [{},\ndata: {}]\n\n",
                    text_answer(&json!(9999), "foreign"),
                    text_answer(&id, "fine")
                ));
                reply(&mut stream, "202 Accepted", "", "").await;
            }
        }
    })
    .await;
    let hub = Hub::with(json!({ "s": { "url": url } }));
    let client = Client::open(&hub, "/mcp/s", Era::Modern).await;
    assert_eq!(client.text("t", json!({})).await, "fine");
    let error = client.error("tools/call", json!({ "name": "t", "arguments": { "refuse": true } })).await;
    assert!(error["message"].as_str().unwrap().contains("HTTP status 500; it said: no room"), "{error}");
    let error = client.error("tools/call", json!({ "name": "t", "arguments": { "end": true } })).await;
    assert!(error["message"].as_str().unwrap().contains("its connection ended: its stream ended"), "{error}");
    until("the server serves again", 30, async || {
        let response = client.response("tools/call", json!({ "name": "t", "arguments": {} })).await;
        if response["result"]["content"][0]["text"] == "fine" { Ok(()) } else { Err(response.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_an_event_without_end_costs_its_own_calls_alone() {
    let url = sse_server("/messages", async |_, said, mut stream| {
        reply(&mut stream, "202 Accepted", "", "").await;
        let piece = "x".repeat(1 << 20);
        for _ in 0..64 {
            if said.send(piece.clone()).is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    let hub = Hub::with(json!({ "s": { "url": url } }));
    let answer = call_t(&hub, Era::Modern).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("an event of more than 16777216 bytes"), "{answer}");
}

// Streamable HTTP: streams that break off, batches.

/// A server of Streamable HTTP whose GETs and `tools/call` do what `answer` says; what it was asked.
async fn http_server<F>(
    answer: impl Fn(Asked, TcpStream) -> F + Clone + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Asked>>>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let log: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let writes = Arc::clone(&log);
    let address = told(move |asked: Asked, mut stream: TcpStream| {
        writes.lock().unwrap().push(asked.clone());
        let answer = answer.clone();
        async move {
            let message = asked.message();
            if asked.method == "GET" {
                return match asked.header("last-event-id") {
                    Some(_) => answer(asked, stream).await,
                    None => reply(&mut stream, "405 Method Not Allowed", "", "").await,
                };
            }
            match hello(&message) {
                _ if message["id"].is_null() => reply(&mut stream, "202 Accepted", "", "").await,
                Some(hello) => reply_json(&mut stream, &hello).await,
                None => answer(asked, stream).await,
            }
        }
    })
    .await;
    (format!("http://{address}/mcp"), log)
}

fn calls(log: &Mutex<Vec<Asked>>) -> Vec<Asked> {
    log.lock().unwrap().iter().filter(|asked| asked.body.contains("tools/call")).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_stream_that_breaks_off_is_taken_up_and_the_call_not_made_again() {
    let id: Arc<Mutex<Value>> = Arc::default();
    let (url, log) = http_server(move |asked, mut stream| {
        let id = Arc::clone(&id);
        async move {
            if asked.method == "POST" {
                *id.lock().unwrap() = asked.message()["id"].clone();
                begin_events(&mut stream).await;
                say(&mut stream, "id: one\nretry: 60\ndata: \n\n").await;
                return;
            }
            match asked.header("last-event-id") {
                // Streams with nothing but another id, or a message before the answer, end too.
                Some("one") => {
                    begin_events(&mut stream).await;
                    say(&mut stream, "id: two\ndata:\n\n").await;
                }
                Some("two") => {
                    begin_events(&mut stream).await;
                    let log = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": "half" } });
                    say(&mut stream, &format!("id: three\ndata: {log}\n\n")).await;
                }
                _ => {
                    begin_events(&mut stream).await;
                    let answer = text_answer(&id.lock().unwrap(), "resumed");
                    say(&mut stream, &format!("id: four\ndata: {answer}\n\n")).await;
                }
            }
        }
    })
    .await;
    let hub = Hub::with(json!({ "s": { "url": url } }));
    for era in Era::BOTH {
        let answer = call_t(&hub, era).await;
        assert_eq!(answer["result"]["content"][0]["text"], "resumed", "{answer}");
    }
    assert_eq!(calls(&log).len(), 2);
    let gets: Vec<String> =
        log.lock().unwrap().iter().filter_map(|a| a.header("last-event-id").map(str::to_owned)).collect();
    assert_eq!(gets, ["one", "two", "three", "one", "two", "three"]);
    let in_session = log
        .lock()
        .unwrap()
        .iter()
        .filter(|a| a.header("last-event-id").is_some())
        .all(|a| a.header("mcp-session-id") == Some("s1"));
    assert!(in_session);
}

#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_stream_that_cannot_be_taken_up_is_told_and_the_call_not_made_again() {
    let (url, log) = http_server(async |asked, mut stream| {
        if asked.method == "POST" {
            begin_events(&mut stream).await;
            let with_id = asked.message()["params"]["arguments"]["id"] == true;
            say(&mut stream, if with_id { "id: one\nretry: 50\ndata: \n\n" } else { ": nothing\n\n" }).await;
        } else {
            reply(&mut stream, "400 Bad Request", "", "").await;
        }
    })
    .await;
    let hub = Hub::with(json!({ "s": { "url": url } }));
    let client = Client::open(&hub, "/mcp/s", Era::Legacy).await;
    let error = client.error("tools/call", json!({ "name": "t", "arguments": {} })).await;
    assert!(error["message"].as_str().unwrap().ends_with("its stream ended before the answer"), "{error}");
    let error = client.error("tools/call", json!({ "name": "t", "arguments": { "id": true } })).await;
    assert!(
        error["message"].as_str().unwrap().contains("could not be taken up again: it answered with HTTP status 400"),
        "{error}"
    );
    assert_eq!(calls(&log).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn val_1_batches_in_http_answers_are_taken_apart() {
    let (url, _) = http_server(async |asked, mut stream| {
        let message = asked.message();
        let answer = text_answer(&message["id"], "mine");
        let foreign = text_answer(&json!(424_242), "not mine");
        let progress =
            json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": "d" } });
        match message["params"]["arguments"]["how"].as_str() {
            Some("events") => {
                begin_events(&mut stream).await;
                say(&mut stream, &format!("data: [{foreign},{progress},{answer}]\n\n")).await;
            }
            Some("million") => {
                let body = format!("[{}{answer}]", "{},".repeat(1_000_000));
                reply(&mut stream, "200 OK", "content-type: application/json\r\n", &body).await;
            }
            Some("foreign") => reply_json(&mut stream, &json!([foreign])).await,
            _ => reply_json(&mut stream, &json!([foreign, answer, progress])).await,
        }
    })
    .await;
    let hub = Hub::with(json!({ "s": { "url": url } }));
    for era in Era::BOTH {
        let client = Client::open(&hub, "/mcp/s", era).await;
        assert_eq!(client.text("t", json!({})).await, "mine");
        assert_eq!(client.text("t", json!({ "how": "events" })).await, "mine");
        let error = client.error("tools/call", json!({ "name": "t", "arguments": { "how": "million" } })).await;
        assert!(error["message"].as_str().unwrap().contains("a batch of more than 1000 messages"), "{error}");
        let error = client.error("tools/call", json!({ "name": "t", "arguments": { "how": "foreign" } })).await;
        assert!(error["message"].as_str().unwrap().contains("its batch ended before the answer"), "{error}");
    }
}

/// A server whose own stream says nothing but an id and ends; taken up, it tells of a changed list.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_a_servers_own_stream_is_taken_up_and_heard() {
    let lists: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let opened = Arc::clone(&lists);
    let address = told(move |asked: Asked, mut stream: TcpStream| {
        let opened = Arc::clone(&opened);
        async move {
            let message = asked.message();
            if asked.method == "GET" {
                let last = asked.header("last-event-id").map(str::to_owned);
                opened.lock().unwrap().push(last.clone());
                begin_events(&mut stream).await;
                if last.is_none() {
                    say(&mut stream, "id: 7\nretry: 50\ndata:\n\n").await;
                    return;
                }
                let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
                say(&mut stream, &format!("id: 8\ndata: {changed}\n\n")).await;
                // It stays open until the hub goes.
                let _until_then = tokio::io::AsyncReadExt::read_u8(&mut stream).await;
                return;
            }
            let taken_up = opened.lock().unwrap().iter().any(Option::is_some);
            match hello(&message) {
                _ if message["id"].is_null() => reply(&mut stream, "202 Accepted", "", "").await,
                Some(_) if message["method"] == "tools/list" && taken_up => {
                    let tools = json!([{ "name": "later", "inputSchema": { "type": "object" } }]);
                    let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": { "tools": tools } });
                    reply_json(&mut stream, &answer).await;
                }
                hello => reply_json(&mut stream, &hello.unwrap_or_default()).await,
            }
        }
    })
    .await;
    let hub = Hub::with(json!({ "s": { "url": format!("http://{address}/mcp") } }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp/s", Era::Modern).await;
    until("the changed list is there", 30, async || {
        let tools = client.tools().await;
        if tools == ["later"] { Ok(()) } else { Err(format!("{tools:?}")) }
    })
    .await;
    assert!(lists.lock().unwrap().contains(&Some("7".to_owned())), "{lists:?}");
}

/// Servers that keep one stream for everything: the answer comes where nothing was asked, while the call's own stream waits.
#[tokio::test(flavor = "multi_thread")]
async fn gw_1_an_answer_on_the_sessions_own_stream_finds_its_call() {
    let (says, _) = broadcast::channel::<String>(16);
    let address = told(move |asked: Asked, mut stream: TcpStream| {
        let says = says.clone();
        async move {
            let message = asked.message();
            if asked.method == "GET" {
                let mut hears = says.subscribe();
                begin_events(&mut stream).await;
                while let Ok(data) = hears.recv().await {
                    if !say(&mut stream, &format!("data: {data}\n\n")).await {
                        return;
                    }
                }
                return;
            }
            match hello(&message) {
                _ if message["id"].is_null() => reply(&mut stream, "202 Accepted", "", "").await,
                Some(hello) => reply_json(&mut stream, &hello).await,
                None => {
                    begin_events(&mut stream).await;
                    let answer = text_answer(&message["id"], "aside");
                    // Whoever has a stream of its own gets it there, as often as it takes for the stream to be open.
                    for _ in 0..200 {
                        let _no_stream = says.send(answer.to_string());
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        if !say(&mut stream, ": waits\n\n").await {
                            return;
                        }
                    }
                }
            }
        }
    })
    .await;
    let hub = Hub::with(json!({ "s": { "url": format!("http://{address}/mcp") } }));
    hub.awake().await;
    let answer = call_t(&hub, Era::Modern).await;
    assert_eq!(answer["result"]["content"][0]["text"], "aside", "{answer}");
}
