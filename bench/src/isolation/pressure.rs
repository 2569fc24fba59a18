//! Callers that call one server at a pace of their own, whatever comes back: as many calls beside a good server as beside a
//! bad one, so that only what the server does makes a difference.

use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Callers at a time.
const CALLERS: usize = 8;
/// Between two calls of one.
const PACE: Duration = Duration::from_millis(20);
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Callers at work.
pub(crate) struct Pressure {
    over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
}

/// Begins to call `tool` of `server`.
pub(crate) fn start(hub: SocketAddr, server: &str, tool: &str) -> Pressure {
    let over = Arc::new(AtomicBool::new(false));
    let name = format!("{server}__{tool}");
    let callers = (0..CALLERS).map(|_| {
        let (over, name) = (Arc::clone(&over), name.clone());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let _whatever_comes_back = call(hub, &name);
                std::thread::sleep(PACE);
            }
        })
    });
    Pressure { callers: callers.collect(), over }
}

impl Pressure {
    /// Ends it; returns when no call is left.
    pub(crate) fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        for caller in self.callers {
            let _ended = caller.join();
        }
    }
}

fn call(hub: SocketAddr, name: &str) -> std::io::Result<()> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "pressure", "version": "1" },
    });
    let params = json!({ "name": name, "arguments": { "text": "x" }, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let mut stream = TcpStream::connect(hub)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nhost: {hub}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\n\
         mcp-name: {name}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = [0; 16 * 1024];
    while stream.read(&mut answer)? > 0 {}
    Ok(())
}
