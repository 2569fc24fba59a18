//! TRB-4 and EMG-1: clients that do not read what they asked for, on every kind of stream: what waits for them is bounded,
//! nobody else waits for them, and in the end they are told or dropped.

use std::time::{Duration, Instant};

use ::http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::http;
use crate::harness::{Client, Era, Hub, bad, everything, in_time, processes, until};
use crate::transports_down::{Sse, request, sessions};
use crate::websocket_down::Ws;

/// Of one answer.
const ANSWER_BYTES: usize = 256 * 1024;
/// Calls of one client that reads nothing: more than the hub takes from one.
const CALLS: u64 = 800;
/// What the hub may hold for one client that reads nothing, above what it held before: the answers of all calls that one
/// client may have in flight, what waits to be written, and what an allocator keeps beside. All answers would be 200 MiB.
const MEMORY_MORE_KIB: u64 = 150 * 1024;
/// What a server says in a call whose client reads nothing: more than the kernel takes for that client, and much more than
/// the hub may hold for it.
const FLOOD_BYTES: usize = 64 * 1024 * 1024;
/// What may be on its way to a client when it is given up: the kernel's buffers (4 MiB where nothing else is set), and the
/// last that the hub had to write.
const ON_ITS_WAY_BYTES: usize = 12 * 1024 * 1024;
/// What the hub may hold more while a call's stream is not read: an inbox of 4 MiB, events of a session, an allocator's rest.
const STREAM_MORE_KIB: u64 = 40 * 1024;
/// Of that client's socket, so that the wait for it begins soon.
const RECEIVE_BYTES: u32 = 16 * 1024;
/// Seconds that a client may take nothing of its answer.
const PATIENCE_S: u64 = 4;
/// For one call of somebody else, on a machine that is as busy as it gets.
const CALL_LIMIT: Duration = Duration::from_secs(10);

fn hub() -> Hub {
    let servers = json!({ "big": bad(&["big-result", &ANSWER_BYTES.to_string()]), "good": everything(&[]) });
    let gateway = json!({ "header_timeout_s": PATIENCE_S, "body_timeout_s": 2 });
    Hub::configured(json!({ "servers": servers, "gateway": gateway, "log": { "level": "error" } }))
}

fn memory_kib(hub: &Hub) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hub.pid)).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn big(id: u64) -> String {
    request(id, "tools/call", &json!({ "name": "big__misbehave", "arguments": {} }))
}

/// Somebody else, and what the hub holds while nothing happens.
struct Beside {
    client: Client,
    memory_kib: u64,
    descriptors: usize,
}

impl Beside {
    async fn of(hub: &Hub) -> Self {
        hub.awake().await;
        let client = Client::open(hub, "/mcp", Era::Legacy).await;
        client.call("good__test_simple_text", json!({})).await;
        client.call("big__misbehave", json!({})).await;
        let (memory_kib, descriptors) = (memory_kib(hub), processes::descriptors(hub.pid));
        Self { client, memory_kib, descriptors }
    }

    /// Their calls are answered all the while until the client that does not read is gone; the hub holds no more than it may.
    async fn until_gone(&self, hub: &Hub, who: &str, sessions_left: u64, more_kib_max: u64) {
        let began = Instant::now();
        loop {
            let asked = Instant::now();
            self.client.call("good__test_simple_text", json!({})).await;
            assert!(asked.elapsed() < CALL_LIMIT, "a call took {:?} beside {who}", asked.elapsed());
            let more = memory_kib(hub).saturating_sub(self.memory_kib);
            assert!(more < more_kib_max, "the hub holds {more} KiB more beside {who}");
            let (sessions, now) = (hub.ready().await["sessions"].as_u64().unwrap(), processes::descriptors(hub.pid));
            if sessions == sessions_left && now <= self.descriptors {
                return;
            }
            assert!(began.elapsed() < 15 * CALL_LIMIT, "{who} is still there: {sessions} sessions, {now} descriptors");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_websocket_that_is_not_read_is_bounded_and_dropped() {
    let hub = hub();
    let beside = Beside::of(&hub).await;
    let mut deaf = Ws::begin(&hub, "/mcp", "2025-11-25").await;
    sessions(&hub, 2).await;
    for id in 1..=CALLS {
        deaf.say(&big(id)).await;
    }
    beside.until_gone(&hub, "a WebSocket that is not read", 1, MEMORY_MORE_KIB).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trb_4_a_stream_of_http_sse_that_is_not_read_is_bounded_told_and_dropped() {
    let hub = hub();
    let beside = Beside::of(&hub).await;
    let mut deaf = Sse::open(&hub, "/sse").await;
    deaf.initialize().await;
    sessions(&hub, 2).await;
    let mut refused = None;
    for id in 1..=CALLS {
        let status = deaf.post_to(&deaf.uri, &big(id)).await.status;
        if status != 202 {
            refused = Some(status);
            break;
        }
    }
    // That too much waits for it, or that it is dropped already.
    assert!(matches!(refused, Some(404 | 429)), "{refused:?}");
    beside.until_gone(&hub, "a stream of HTTP+SSE that is not read", 1, MEMORY_MORE_KIB).await;
}

/// A call's stream, on which its server says far more than anybody takes, and then nothing more: what is kept is bounded, the
/// stream is given up, the call is cancelled for that reason alone (its own time would be minutes), and the session goes on.
#[tokio::test(flavor = "multi_thread")]
async fn emg_1_a_calls_stream_that_is_not_read_is_given_up_and_its_session_goes_on() {
    let mut flood = bad(&["flood-stdout", "--bytes", &FLOOD_BYTES.to_string(), "--hang"]);
    flood["timeout_s"] = json!(600);
    let servers = json!({ "flood": flood, "good": everything(&[]), "big": bad(&["big-result", "10"]) });
    let gateway = json!({ "header_timeout_s": PATIENCE_S, "resume_window_s": 2 });
    let configuration = json!({ "servers": servers, "gateway": gateway, "log": { "level": "error" } });
    for era in Era::BOTH {
        // Each its own: for a while after a call was let go, what its server's process logs belongs to nobody.
        let hub = Hub::configured(configuration.clone());
        let beside = Beside::of(&hub).await;
        let deaf = Client::open(&hub, "/mcp", era).await;
        let mut stream = flooded(&hub, &deaf, era).await;
        // From here on it reads nothing. A session of its own is no leak: it lives on without its stream.
        let sessions_left = 1 + u64::from(era == Era::Legacy);
        beside.until_gone(&hub, "a call's stream that is not read", sessions_left, STREAM_MORE_KIB).await;
        // A call of the earlier revisions goes on for a while without its client.
        until("the call is over", 60, async || match hub.server("flood").await["calls"].as_u64() {
            Some(0) => Ok(()),
            calls => Err(format!("{calls:?} calls")),
        })
        .await;
        deaf.call("good__test_simple_text", json!({})).await;
        let mut rest = Vec::new();
        let _reset = in_time("what was on its way", stream.read_to_end(&mut rest)).await;
        assert!(rest.len() < ON_ITS_WAY_BYTES, "{} bytes were kept for a client that did not read", rest.len());
    }
}

/// The stream of a call of `deaf`, whose server's flood has begun to come.
async fn flooded(hub: &Hub, deaf: &Client, era: Era) -> TcpStream {
    let params = json!({ "name": "flood__misbehave", "arguments": {}, "_meta": {
        "io.modelcontextprotocol/logLevel": "debug", "progressToken": 1,
    } });
    if era == Era::Legacy {
        deaf.result("logging/setLevel", json!({ "level": "debug" })).await;
    }
    let (body, mirrored) = deaf.message("tools/call", params);
    let mirrored: Vec<(&str, &str)> = mirrored.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut head = format!("POST /mcp HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in deaf.request(&body, &mirrored).headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVE_BYTES).unwrap();
    let mut stream = socket.connect(hub.address).await.unwrap();
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    let mut first = vec![0; 64 * 1024];
    in_time("the first of the flood", stream.read_exact(&mut first)).await.unwrap();
    assert!(String::from_utf8_lossy(&first).contains("notifications/message"), "no flood: the test sees nothing");
    stream
}

/// The status, headers and body of an answer, but for the time of day.
fn face(answer: &http::Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status, headers.collect(), answer.body.to_vec())
}

/// An id that is another's, one that nobody has and one that nobody has any more look the same from outside.
#[tokio::test(flavor = "multi_thread")]
async fn val_1_session_ids_cannot_be_guessed_and_tell_nothing_when_they_are() {
    const ROUNDS: usize = 60;
    let hub = Hub::with(json!({ "good": everything(&[]), "other": everything(&[]) }));
    let here = Client::open(&hub, "/mcp", Era::Legacy).await;
    let there = Client::open(&hub, "/mcp/other", Era::Legacy).await;
    let gone = Client::open(&hub, "/mcp", Era::Legacy).await;
    assert_eq!(gone.delete().await, 200);
    let (theirs, ended) = (there.session.clone().unwrap(), gone.session.clone().unwrap());
    let nobodys = "0123456789ab".repeat(theirs.len() / 12);
    assert_eq!(nobodys.len(), theirs.len());
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    let mut took: [Vec<Duration>; 2] = Default::default();
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let mut faces = Vec::new();
        for _ in 0..ROUNDS {
            for (number, id) in [&theirs, &nobodys, &ended].into_iter().enumerate() {
                let accept =
                    if method == Method::GET { "text/event-stream" } else { "application/json, text/event-stream" };
                let headers =
                    [("accept", accept), ("content-type", "application/json"), ("mcp-session-id", id.as_str())];
                let body = if method == Method::POST { ping.clone() } else { String::new() };
                let asked = Instant::now();
                let answer =
                    http::send(hub.address, http::request(method.clone(), hub.address, "/mcp", &headers, body)).await;
                took.get_mut(number).into_iter().for_each(|took| took.push(asked.elapsed()));
                faces.push(face(&answer));
            }
        }
        assert_eq!(faces[0].0, 404, "{method}");
        assert!(faces.iter().all(|other| *other == faces[0]), "{method}: {:?} and {:?}", faces[0], faces[1]);
    }
    // Whether it is somebody's does not show in the time either; asked in turns, so that load weighs on both alike.
    let median = |mut all: Vec<Duration>| {
        all.sort();
        all[all.len() / 2].as_secs_f64()
    };
    let [theirs_took, nobodys_took] = took.map(median);
    let ratio = theirs_took / nobodys_took;
    assert!((0.5..2.0).contains(&ratio), "{theirs_took} s for another's, {nobodys_took} s for nobody's");
    // Theirs was not touched.
    assert_eq!(there.result("ping", json!({})).await, json!({}));
    assert_eq!(here.result("ping", json!({})).await, json!({}));
}

/// Ids are 192 bits of the kernel's randomness: none twice, no digit that stands still.
#[tokio::test(flavor = "multi_thread")]
async fn val_1_session_ids_are_all_chance() {
    const SESSIONS: usize = 200;
    let hub = Hub::with(json!({ "good": everything(&[]) }));
    let mut ids = Vec::new();
    for _ in 0..SESSIONS {
        ids.push(Client::open(&hub, "/mcp", Era::Legacy).await.session.unwrap());
    }
    let length = ids[0].len();
    assert!(length * 4 >= 128, "{length} hexadecimal digits");
    assert!(ids.iter().all(|id| id.len() == length && id.bytes().all(|b| b.is_ascii_hexdigit())), "{ids:?}");
    for at in 0..length {
        let digits: std::collections::BTreeSet<u8> = ids.iter().map(|id| id.as_bytes()[at]).collect();
        // Of 16, two hundred throws miss four or more less often than once in ten million.
        assert!(digits.len() > 12, "digit {at} takes only {digits:?}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), SESSIONS);
}
