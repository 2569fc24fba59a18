//! The oracle for conversations with questions in them: the same one with a server on a channel of its own and through the hub,
//! on each transport towards client and server, within an era and across. What differs is listed, as in `fidelity_oracle.rs`.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::ChildStdin;
use tokio::sync::Mutex;

use crate::fidelity_oracle::{Exchange, Known, address, conclude, judge};
use crate::harness::fixture::program;
use crate::harness::talker::{Talker, Transport};
use crate::harness::told::{Asked, begin_events, reply, say, told};
use crate::harness::{Era, HttpFixture, Hub, everything};
use crate::websocket_up::conforming;

/// The server that says what belongs to no call on a stream of its own.
const BESIDE: &str = "beside";
/// Where the names of questions stand.
const NAMES: &str = "* /messages/*/result/inputRequests/names";
const ASKING: [&str; 11] = [
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_request_state",
    "test_sampling",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_url_elicitation",
];

/// The whole conversation.
async fn converse(talker: &mut Talker, era: Era, logs: bool) -> Vec<Exchange> {
    let mut said: Vec<Exchange> = Vec::new();
    let mut note = |name: &str, messages: Vec<Value>| said.push((name.to_owned(), json!({ "messages": messages })));
    for tool in ASKING {
        let params = json!({ "name": tool, "arguments": { "prompt": "capital of France?", "message": "who?" } });
        note(tool, talker.ask("tools/call", &params).await);
    }
    let prompt = json!({ "name": "test_input_required_result_prompt" });
    note("prompt", talker.ask("prompts/get", &prompt).await);
    let params = json!({ "name": "test_tool_with_progress", "arguments": {}, "_meta": { "progressToken": "mine" } });
    let mut steps = talker.ask("tools/call", &params).await;
    // The tool tells its token, which is the hub's own on a channel that clients share (`fidelity_oracle.rs` lists it).
    steps.last_mut().unwrap()["result"]["content"] = json!("(with the token)");
    note("progress", steps);
    if !logs {
        return said;
    }
    let mut logging = json!({ "name": "test_logging_tool", "arguments": {} });
    note("nothing is logged unasked", talker.ask("tools/call", &logging).await);
    if era == Era::Legacy {
        note("level", talker.ask("logging/setLevel", &json!({ "level": "info" })).await);
    } else {
        logging["_meta"] = json!({ "io.modelcontextprotocol/logLevel": "info" });
    }
    note("logging", talker.ask("tools/call", &logging).await);
    said
}

/// A server of HTTP+SSE: each stream is a process of the conforming server on stdio.
async fn conforming_sse() -> String {
    let lines: Arc<Mutex<HashMap<String, ChildStdin>>> = Arc::default();
    let address = told(move |asked: Asked, mut stream: TcpStream| {
        let lines = Arc::clone(&lines);
        async move {
            if asked.method == "GET" {
                return serve_stream(stream, &lines).await;
            }
            let mut all = lines.lock().await;
            match all.get_mut(asked.path.trim_start_matches("/message/")) {
                Some(stdin) => {
                    stdin.write_all(format!("{}\n", asked.message()).as_bytes()).await.unwrap();
                    reply(&mut stream, "202 Accepted", "", "Accepted").await;
                }
                None => reply(&mut stream, "405 Method Not Allowed", "", "").await,
            }
        }
    })
    .await;
    format!("http://{address}/sse")
}

async fn serve_stream(mut stream: TcpStream, lines: &Mutex<HashMap<String, ChildStdin>>) {
    let mut child = tokio::process::Command::new(program())
        .args(["everything", "--stdio", "--era", "legacy"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let name = child.id().unwrap().to_string();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.lock().await.insert(name.clone(), child.stdin.take().unwrap());
    begin_events(&mut stream).await;
    say(&mut stream, &format!("event: endpoint\ndata: /message/{name}\n\n")).await;
    while let Ok(Some(line)) = said.next_line().await {
        if !say(&mut stream, &format!("event: message\ndata: {line}\n\n")).await {
            return;
        }
    }
}

fn websocket_address(url: &str) -> std::net::SocketAddr {
    address(&url.replace("ws://", "http://"))
}

/// What can be compared: across the eras, questions that a server asks side by side come in one round or in one each, as time
/// has it (`interaction.rs` looks at what becomes of them).
fn comparable(said: &[Exchange], known: &[&[Known]]) -> Vec<Exchange> {
    let in_rounds = known.iter().any(|list| list.iter().any(|known| known.place == NAMES));
    let together = "test_input_required_result_multiple_inputs";
    said.iter().filter(|(name, _)| !in_rounds || name != together).cloned().collect()
}

/// Holds the conversation of `era` through the hub with each of `servers`, on each of `transports`, against one with a server
/// of that era on a channel of its own.
async fn hold(era: Era, transports: &[Transport], servers: Value, known: &[&[Known]]) {
    let direct = websocket_address(&conforming("both").await);
    let names: Vec<String> = servers.as_object().unwrap().keys().cloned().collect();
    let hub = Hub::with(servers);
    hub.awake().await;
    let mut plain = HashMap::new();
    for logs in [true, false] {
        let mut talker = Talker::open(direct, "/mcp", Transport::WebSocket, era).await;
        plain.insert(logs, converse(&mut talker, era, logs).await);
    }
    let mut wrong = Vec::new();
    for transport in transports {
        for name in &names {
            let path = if *transport == Transport::Sse { format!("/sse/{name}") } else { format!("/mcp/{name}") };
            let mut talker = Talker::open(hub.address, &path, *transport, era).await;
            // In an earlier revision a server on Streamable HTTP logs on its session's own stream, in its own time.
            let logs = name != BESIDE;
            let through = converse(&mut talker, era, logs).await;
            let what = format!("{era:?} client on {transport:?}, server `{name}`");
            wrong.extend(judge(&what, &comparable(&plain[&logs], known), &comparable(&through, known), known));
        }
    }
    conclude(&wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_questions_of_2025_11_25_pass_as_they_are() {
    let web = HttpFixture::start(&[]);
    let servers = json!({
        "pipe": everything(&[]), (BESIDE): web.entry(),
        "ws": { "url": conforming("legacy").await }, "sse": { "url": conforming_sse().await },
    });
    let transports = [Transport::Http, Transport::Sse, Transport::WebSocket];
    hold(Era::Legacy, &transports, servers, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_questions_of_2026_07_28_pass_as_they_are() {
    let web = HttpFixture::start(&[]);
    let servers = json!({ "pipe": everything(&[]), "web": web.entry(), "ws": { "url": conforming("modern").await } });
    hold(Era::Modern, &[Transport::Http, Transport::WebSocket], servers, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_questions_of_2026_07_28_reach_a_client_of_2025_11_25() {
    let web = HttpFixture::start(&["--era", "modern"]);
    let servers = json!({
        "pipe": everything(&["--era", "modern"]), "web": web.entry(), "ws": { "url": conforming("modern").await },
    });
    let transports = [Transport::Http, Transport::Sse, Transport::WebSocket];
    hold(Era::Legacy, &transports, servers, &[TO_LEGACY]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_3_questions_of_2025_11_25_reach_a_client_of_2026_07_28() {
    let servers = json!({
        "pipe": everything(&["--era", "legacy"]),
        "ws": { "url": conforming("legacy").await }, "sse": { "url": conforming_sse().await },
    });
    hold(Era::Modern, &[Transport::Http, Transport::WebSocket], servers, &[TO_MODERN]).await;
}

/// What a client takes back while it is asked is not answered, and what it asks next is.
#[tokio::test(flavor = "multi_thread")]
async fn tool_3_a_call_that_is_taken_back_instead_of_answered_says_nothing_more() {
    for transport in [Transport::Sse, Transport::WebSocket] {
        let web = HttpFixture::start(&["--era", "modern"]);
        // Each hub for itself: after a call that was let go, what a shared server asks belongs to nobody for a while.
        let hub = Hub::with(json!({
            "pipe": everything(&[]), "web": web.entry(),
            "ws": { "url": conforming("legacy").await }, "sse": { "url": conforming_sse().await },
        }));
        hub.awake().await;
        for name in ["pipe", "web", "ws", "sse"] {
            let path = if transport == Transport::Sse { format!("/sse/{name}") } else { format!("/mcp/{name}") };
            let mut talker = Talker::open(hub.address, &path, transport, Era::Legacy).await;
            let params = json!({ "name": ASKING[0], "arguments": {} });
            let answered = talker.take_back("tools/call", &params).await;
            assert!(!answered, "{transport:?}, server `{name}`");
        }
    }
}

/// From a server of 2026-07-28 to a client of an earlier revision.
const TO_LEGACY: &[Known] = &[Known {
    place: "nothing is logged unasked /messages",
    reason: "a server of an earlier revision may log before a level was asked for, one of 2026-07-28 may not",
}];

/// From a server of an earlier revision to a client of 2026-07-28.
const TO_MODERN: &[Known] = &[
    Known { place: "* /messages/*/result/_meta", reason: "in 2026-07-28 each result says who made it" },
    Known { place: NAMES, reason: "the server's questions have numbers and no names" },
    Known {
        place: "* /messages/*/result/requestState",
        reason: "the call waits at the server, and is found again by its state",
    },
    Known {
        place: "test_url_elicitation /messages/0/result/inputRequests/asked/0/params/elicitationId",
        reason: "2026-07-28 has no message by which the server would tell that the page was visited",
    },
];
