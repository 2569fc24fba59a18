//! EMG-1: the connection to a server behind HTTP+SSE or a WebSocket is reset after any number of bytes of a call, in either
//! direction: the call is told clearly, nothing is sent twice, the next call finds a new connection, nothing is left.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::puppet::Puppet;
use crate::harness::{Client, Era, Hub, processes, until};

/// Between two bytes at which it is cut: a call and its answer are some hundred bytes, and each cut costs a handshake.
const STEP: usize = 3;
/// For a call whose connection was reset: far below its timeout, far above what a busy machine needs.
const TOLD_WITHIN: Duration = Duration::from_secs(20);
/// Descriptors that may have come without being a leak.
const DESCRIPTORS_MORE: usize = 8;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToHub,
}

/// Bytes that still may pass, one way; nothing where all may.
type Left = Arc<Mutex<Option<(Way, usize)>>>;

/// A road to a server, with a place at which it breaks.
struct Road {
    address: SocketAddr,
    left: Left,
}

impl Road {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, left) = (listener.local_addr().unwrap(), Left::default());
        let its = Arc::clone(&left);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let left = Arc::clone(&its);
                tokio::spawn(async move {
                    let far = TcpStream::connect(server).await.unwrap();
                    for stream in [&near, &far] {
                        stream.set_nodelay(true).unwrap();
                        // Whoever still holds the other end hears of a reset.
                        stream.set_zero_linger().unwrap();
                    }
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    // The first that ends takes the other one along: both streams are dropped here.
                    tokio::select! {
                        () = pass(near_in, far_out, Way::ToServer, &left) => {}
                        () = pass(far_in, near_out, Way::ToHub, &left) => {}
                    }
                });
            }
        });
        Self { address, left }
    }

    /// From now on so many bytes pass, and then the connection breaks; once.
    fn breaks_after(&self, way: Way, bytes: usize) {
        *self.left.lock().unwrap() = Some((way, bytes));
    }

    /// Whether it did; it does not any more.
    fn broke(&self) -> bool {
        self.left.lock().unwrap().take().is_none()
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, left: &Left) {
    let mut piece = [0; 4096];
    loop {
        let Ok(count @ 1..) = from.read(&mut piece).await else { return };
        let may = {
            let mut left = left.lock().unwrap();
            match &mut *left {
                Some((its, bytes)) if *its == way && *bytes < count => {
                    let may = *bytes;
                    *left = None;
                    may
                }
                Some((its, bytes)) if *its == way => {
                    *bytes -= count;
                    count
                }
                _ => count,
            }
        };
        if to.write_all(&piece[..may]).await.is_err() {
            return;
        }
        if may < count {
            // What was written is to arrive before the reset, or else the reset is all that arrives.
            tokio::time::sleep(Duration::from_millis(2)).await;
            return;
        }
    }
}

/// Breaks the road at each place of a call, up to the first that is too late for one; how many calls were broken, and
/// how many were made.
async fn at_every_byte(road: &Road, client: &Client, way: Way) -> (usize, usize) {
    let (mut broken, mut made) = (0, 0);
    for at in (0..).step_by(STEP) {
        made += 1;
        road.breaks_after(way, at);
        let asked = Instant::now();
        let response = client.response("tools/call", json!({ "name": "flaky__wait", "arguments": {} })).await;
        assert!(asked.elapsed() < TOLD_WITHIN, "{way:?} {at}: told after {:?}", asked.elapsed());
        let broke = road.broke();
        if response["result"]["content"][0]["text"] == "done" {
            // Something else may have been on the road at that moment, and have taken the break.
            if !broke {
                return (broken, made);
            }
            continue;
        }
        broken += 1;
        let error = &response["error"];
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{way:?} {at}: {response}"));
        assert!(message.contains("`flaky`"), "{way:?} {at}: {message}");
        assert!([502, 503].contains(&error["code"].as_i64().unwrap()), "{way:?} {at}: {error}");
    }
    unreachable!()
}

async fn broken_everywhere(scheme: &str, path: &str) {
    let mut puppet = Puppet::start().await;
    let behind = Hub::with(json!({ "p": puppet.entry() }));
    behind.awake().await;
    let road = Road::to(behind.address).await;
    let mut entry = json!({ "url": format!("{scheme}://{}{path}", road.address) });
    // Hundreds of failures in a row are what is wanted here.
    entry["breaker"] = json!({ "failures": 0 });
    let hub = Hub::configured(json!({ "servers": { "flaky": entry }, "log": { "level": "error" } }));
    hub.awake().await;
    let client = Client::open(&hub, "/mcp", Era::Legacy).await;
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    let answering = tokio::spawn(async move {
        loop {
            puppet.next_call().await.answer("done");
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert_eq!(client.text("flaky__wait", json!({})).await, "done");
    let before = processes::descriptors(hub.pid);
    let (to_server, made) = at_every_byte(&road, &client, Way::ToServer).await;
    let (to_hub, more) = at_every_byte(&road, &client, Way::ToHub).await;
    // Neither would be worth much if it had ended at the first byte.
    assert!(to_server > 30 && to_hub > 15, "{to_server} calls broken on their way, {to_hub} answers");
    let (came, made) = (came.load(Ordering::SeqCst), 1 + made + more);
    assert!(came <= made, "{made} calls were made, {came} came");
    until("it serves again, and all is given back", 30, async || {
        let response = client.response("tools/call", json!({ "name": "flaky__wait", "arguments": {} })).await;
        let (status, now) = (hub.server("flaky").await, processes::descriptors(hub.pid));
        let back = response.get("result").is_some() && status["calls"] == 0 && now <= before + DESCRIPTORS_MORE;
        if back { Ok(()) } else { Err(format!("{now} descriptors, before {before}: {response} {status}")) }
    })
    .await;
    // The server behind let go of the sessions that broke.
    until("the sessions behind it end", 30, async || match behind.ready().await["sessions"].as_u64() {
        Some(0..=2) => Ok(()),
        other => Err(format!("{other:?} sessions")),
    })
    .await;
    answering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_reset_at_every_byte_of_a_websocket() {
    broken_everywhere("ws", "/mcp/p").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emg_1_reset_at_every_byte_of_http_sse() {
    broken_everywhere("http", "/sse/p").await;
}
