//! EMG-1: whatever a server behind HTTP answers, the call is told clearly within its time and the server serves the next.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::scripted::{Act, End, Scripted};
use crate::harness::{Client, Era, Hub, everything, processes, until};

/// Seconds a call of these servers may stay without an answer.
const TIMEOUT_S: u64 = 2;
/// For a call to be told, on a machine that is as busy as it gets.
const TOLD_WITHIN: Duration = Duration::from_secs(15);
/// What the hub may hold more than before, whatever floods it: one message of the longest kind, twice over, and change.
const MEMORY_MORE_KIB: u64 = 128 * 1024;
/// Descriptors that may have come without being a leak.
const DESCRIPTORS_MORE: usize = 8;

const JSON: &str = "content-type: application/json\r\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

/// One way to misbehave, and what the call is told.
struct Case {
    what: &'static str,
    act: Act,
    /// A word of the error's message; nothing where the call is answered all the same.
    told: Option<&'static str>,
}

fn case(what: &'static str, act: Act, told: &'static str) -> Case {
    Case { what, act, told: Some(told) }
}

/// The good answer with `before` in front of it.
fn answered(what: &'static str, before: &str) -> Case {
    let result =
        r#"{"jsonrpc":"2.0","id":$ID,"result":{"content":[{"type":"text","text":"good"}],"resultType":"complete"}}"#;
    let act = Act::http("200 OK", JSON, result);
    let Act::Raw { mut pieces, pause, end } = act else { unreachable!() };
    pieces.insert(0, before.as_bytes().to_vec());
    Case { what, act: Act::Raw { pieces, pause, end }, told: None }
}

fn statuses() -> Vec<Case> {
    vec![
        answered("100 before the answer", "HTTP/1.1 100 Continue\r\n\r\n"),
        answered("102 twice before the answer", "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"),
        case("204", Act::http("204 No Content", "", ""), "without answering"),
        case("202", Act::http("202 Accepted", "", ""), "without answering"),
        case("500 with a text", Act::http("500 Internal Server Error", "", "it broke"), "status 500"),
        case(
            "502 with a page",
            Act::http("502 Bad Gateway", "content-type: text/html\r\n", "<h1>x</h1>"),
            "status 502",
        ),
        case(
            "503 with JSON that is no message",
            Act::http("503 Service Unavailable", JSON, r#"{"a":1}"#),
            "status 503",
        ),
        case("200 with a page", Act::http("200 OK", "content-type: text/html\r\n", "<h1>x</h1>"), "neither JSON nor"),
        case("200 with no type", Act::http("200 OK", "", "{}"), "neither JSON nor"),
    ]
}

fn answers() -> Vec<Case> {
    let json = |body: &str| Act::http("200 OK", JSON, body);
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let deep = format!(r#"{{"jsonrpc":"2.0","id":$ID,"result":{deep}}}"#).into_bytes();
    let result = r#"{"jsonrpc":"2.0","id":$ID,"result":{"content":[]}}"#;
    vec![
        case("another's id", json(&result.replace("$ID", "987654321")), "something else than what was asked"),
        case("a string for an id", json(&result.replace("$ID", r#""$ID""#)), "something else"),
        case("half a message", json(&result[..30]), "broke the protocol"),
        case("no message", json("[1,2,3]"), "broke the protocol"),
        case("neither result nor error", json(r#"{"jsonrpc":"2.0","id":$ID}"#), "broke the protocol"),
        case("nothing", json(""), "broke the protocol"),
        case(
            "no UTF-8",
            Act::raw(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n\"\xff\xfe\"",
                End::Keep,
            ),
            "broke the protocol",
        ),
        Case {
            what: "very deep",
            act: Act::Raw {
                pieces: vec![
                    format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {}\r\n\r\n", deep.len()).into_bytes(),
                    deep,
                ],
                pause: Duration::ZERO,
                end: End::Close,
            },
            told: Some("flaky"),
        },
        case(
            "a stream with no answer",
            Act::raw(format!("{STREAM}: nothing\n\n"), End::Close),
            "ended before the answer",
        ),
        case(
            "a stream of something else",
            Act::raw(format!("{STREAM}data: rubbish\n\n"), End::Close),
            "broke the protocol",
        ),
        case(
            "a stream with another's answer",
            Act::raw(format!("{STREAM}data: {}\n\n", result.replace("$ID", "987654321")), End::Close),
            "something else",
        ),
    ]
}

fn wires() -> Vec<Case> {
    let result = r#"{"jsonrpc":"2.0","id":$ID,"result":{"content":[]}}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    vec![
        case("no HTTP at all", Act::raw("SSH-2.0-OpenSSH\r\n", End::Close), "the connection"),
        case("chunks that are none", Act::raw(format!("{chunked}zz\r\nrubbish"), End::Close), "broke"),
        case("a chunk of a size beyond all", Act::raw(format!("{chunked}fffffffffffffffff\r\n"), End::Close), "broke"),
        case("chunks that end in the middle", Act::raw(format!("{chunked}ff\r\n{{\"js"), End::Close), "broke"),
        case(
            "a length that is too long",
            Act::raw(format!("{head}content-length: 999\r\n\r\n{result}"), End::Close),
            "broke",
        ),
        case(
            "a length that is too short",
            Act::raw(format!("{head}content-length: 9\r\n\r\n{result}"), End::Close),
            "broke",
        ),
        case(
            "two lengths",
            Act::raw(format!("{head}content-length: 9\r\ncontent-length: 7\r\n\r\n{result}"), End::Close),
            "broke",
        ),
        case(
            "a length that is no number",
            Act::raw(format!("{head}content-length: x\r\n\r\n{result}"), End::Close),
            "broke",
        ),
        case(
            "a length beyond all",
            Act::raw(format!("{head}content-length: 99999999999999\r\n\r\n{{"), End::Close),
            "more than",
        ),
        case("never", Act::never(), "within 2 s"),
        case("half a head, then silence", Act::raw("HTTP/1.1 200 OK\r\ncontent-ty", End::Hold), "within 2 s"),
        case(
            "half a body, then silence",
            Act::raw(format!("{head}content-length: 99\r\n\r\n{{\"js"), End::Hold),
            "within 2 s",
        ),
        case("a stream that is silent", Act::raw(STREAM, End::Hold), "within 2 s"),
        case(
            "a drip",
            Act::Raw {
                pieces: format!("{head}content-length: 999\r\n\r\n{}", " ".repeat(200))
                    .bytes()
                    .map(|b| vec![b])
                    .collect(),
                pause: Duration::from_millis(100),
                end: End::Hold,
            },
            "within 2 s",
        ),
    ]
}

fn floods() -> Vec<Case> {
    let piece = vec![b'x'; 64 * 1024];
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    vec![
        case(
            "gigabytes of body",
            Act::Endless(format!("{head}connection: close\r\n\r\n\"").into(), piece.clone()),
            "more than",
        ),
        case("gigabytes in one event", Act::Endless(format!("{STREAM}data: ").into(), piece.clone()), "flaky"),
        case("gigabytes of headers", Act::Endless("HTTP/1.1 200 OK\r\nx: ".into(), piece), "the connection"),
        case(
            "headers without end",
            Act::Endless("HTTP/1.1 200 OK\r\n".into(), b"x-a: b\r\n".repeat(1000)),
            "the connection",
        ),
        case("comments without end", Act::Endless(STREAM.into(), b": still here\n\n".repeat(1000)), "within 2 s"),
    ]
}

fn memory_kib(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn matrix(cases: Vec<Case>) {
    for era in Era::BOTH {
        let server = Scripted::start(era, false).await;
        let mut entry = server.entry();
        (entry["timeout_s"], entry["breaker"]) = (json!(TIMEOUT_S), json!({ "failures": 0 }));
        entry["pool"] = json!({ "initial": 0, "size": 1, "max": 4 });
        let hub = Hub::with(json!({ "flaky": entry, "good": everything(&[]) }));
        let client = Client::open(&hub, "/mcp", era).await;
        assert_eq!(client.text("flaky__echo", json!({})).await, "good");
        client.call("good__test_simple_text", json!({})).await;
        let before = (processes::descriptors(hub.pid), memory_kib(hub.pid), server.calls().len());
        for Case { what, act, told } in &cases {
            server.does(act.clone());
            let began = Instant::now();
            let params = json!({ "name": "flaky__fault", "arguments": {} });
            let calling = client.response("tools/call", params);
            let beside = async {
                client.call("good__test_simple_text", json!({})).await;
            };
            let (response, ()) = tokio::join!(calling, beside);
            assert!(began.elapsed() < TOLD_WITHIN, "{what}: told after {:?}", began.elapsed());
            match told {
                None => assert_eq!(response["result"]["content"][0]["text"], "good", "{what}: {response}"),
                Some(word) => assert_told(what, word, &response),
            }
            let memory = memory_kib(hub.pid);
            assert!(memory < before.1 + MEMORY_MORE_KIB, "{what}: {memory} KiB, before {} KiB", before.1);
            assert_eq!(client.text("flaky__echo", json!({})).await, "good", "after {what}");
        }
        assert_eq!(server.calls().len() - before.2, cases.len(), "a call was sent more or less than once");
        until("all is given back", 20, async || {
            let status = hub.server("flaky").await;
            let descriptors = processes::descriptors(hub.pid);
            let back = status["calls"] == 0 && status["state"] == "ready" && descriptors <= before.0 + DESCRIPTORS_MORE;
            if back { Ok(()) } else { Err(format!("{descriptors} descriptors, before {}: {status}", before.0)) }
        })
        .await;
    }
}

fn assert_told(what: &str, word: &str, response: &Value) {
    let error = &response["error"];
    let message = error["message"].as_str().unwrap_or_else(|| panic!("{what}: {response}"));
    assert!(message.contains("`flaky`") && message.contains(word), "{what}: {message}");
    assert!([502, 503, 504].contains(&error["code"].as_i64().unwrap()), "{what}: {error}");
    assert_eq!(error["data"]["server"], "flaky", "{what}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_statuses_that_are_no_answer() {
    matrix(statuses()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_answers_that_are_none() {
    matrix(answers()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_bytes_that_are_no_http_and_silence() {
    matrix(wires()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_floods_are_bounded_in_memory() {
    matrix(floods()).await;
}

/// A redirect would carry the entry's credentials wherever the server likes.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_redirect_is_told_and_not_followed() {
    for era in Era::BOTH {
        let elsewhere = Scripted::start(era, false).await;
        let server = Scripted::start(era, false).await;
        let mut entry = server.entry();
        entry["headers"] = json!({ "Authorization": "Bearer secret" });
        let hub = Hub::with(json!({ "flaky": entry }));
        let client = Client::open(&hub, "/mcp", era).await;
        for status in
            ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
        {
            let location = format!("location: http://{}/mcp\r\n", elsewhere.address);
            server.does(Act::http(status, &location, ""));
            let error = client.error("tools/call", json!({ "name": "flaky__fault", "arguments": {} })).await;
            let message = error["message"].as_str().unwrap();
            let told = message.contains(&status[..3]) && message.contains(&elsewhere.address.to_string());
            assert!(told && message.contains("not followed"), "{status}: {message}");
        }
        assert_eq!(elsewhere.requests(), 0);
        assert_eq!(client.text("flaky__echo", json!({})).await, "good");
    }
}
