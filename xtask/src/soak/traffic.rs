//! Clients of a soak: they call, listen, hang up in the middle, read slowly, wait for their user, and leave without a word.

use crate::soak::hub::Hub;
use serde_json::{Value, json};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a client is like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Of 2025-11-25, in sessions that it ends or forgets.
    Session,
    /// Of 2026-07-28, without one.
    Modern,
    /// Opens streams for what servers say of their own accord, and drops them.
    Listener,
    /// Hangs up in the middle of a request, or of an answer.
    Rude,
}

pub(super) const KINDS: &[Kind] = &[Kind::Session, Kind::Modern, Kind::Listener, Kind::Rude];

/// Longer than any call may take, its wait for a server included.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// Pause of one who hangs up, or reads slowly.
const LINGER_MS: u64 = 600;
const SERVERS: &[&str] = &["shared", "legacy", "session", "many", "http"];
const TOOLS: &[&str] = &["test_simple_text", "test_tool_with_progress", "test_image_content", "test_error_handling"];
/// A tool whose server asks the client something in the middle: the call waits, and nobody comes back to it.
const ASKING: &str = "test_elicitation";

/// What all clients came to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    answered: AtomicU64,
    refused: AtomicU64,
    faults: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Sum {
    pub(super) fn both(&self) -> (u64, u64) {
        (self.answered.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn faults(&self) -> u64 {
        self.faults.load(Ordering::Relaxed)
    }

    pub(super) fn broke(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(super) fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Chance from a seed (xorshift).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub(super) const fn ms(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

/// One client after the other, until told to stop.
pub(super) fn keep_on(hub: &Arc<Hub>, kind: Kind, seed: u64, sum: &Sum, stop: &AtomicBool) {
    let mut chance = Chance::new(seed + 1);
    let mut id = 0;
    while !stop.load(Ordering::Relaxed) {
        let path = if chance.below(2) == 0 { "/mcp".to_owned() } else { format!("/mcp/{}", chance.of(SERVERS)) };
        let mut client = Client { address: &hub.address, path, session: None, modern: true };
        let done = match kind {
            Kind::Session => client.session(&mut chance, &mut id, sum, stop),
            Kind::Modern => client.calls(&mut chance, &mut id, sum, stop),
            Kind::Listener => client.listens(&mut chance, &mut id),
            Kind::Rude => client.hangs_up(&mut chance, &mut id),
        };
        // A connection that breaks is the hub's fault: what breaks behind it must not reach its clients.
        if let Err(error) = done
            && hub.is_alive()
        {
            sum.broke(format!("a {kind:?} client: {error}"));
        }
        std::thread::sleep(chance.ms(50));
    }
}

struct Client<'a> {
    address: &'a str,
    path: String,
    session: Option<String>,
    modern: bool,
}

impl Client<'_> {
    fn session(&mut self, chance: &mut Chance, id: &mut u64, sum: &Sum, stop: &AtomicBool) -> io::Result<()> {
        self.modern = false;
        let info = json!({"name": "soak", "version": "1"});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": info});
        let mut answer = self.send(&self.message(id, "initialize", params))?;
        let Some(session) = answer.headers.iter().find_map(|line| line.strip_prefix("mcp-session-id: ")) else {
            sum.refused.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        self.session = Some(session.to_owned());
        answer.read()?;
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.send(&initialized)?.read()?;
        self.calls(chance, id, sum, stop)?;
        if chance.below(2) == 0 {
            self.begin("DELETE", "")?.read()?;
        }
        Ok(())
    }

    fn calls(&mut self, chance: &mut Chance, id: &mut u64, sum: &Sum, stop: &AtomicBool) -> io::Result<()> {
        for _ in 0..1 + chance.below(6) {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let message = self.call(chance, id);
            let body = self.send(&message)?.read()?;
            let good = body.contains("\"result\"");
            let counter = if good { &sum.answered } else { &sum.refused };
            counter.fetch_add(1, Ordering::Relaxed);
            if !good && !body.contains("\"error\"") {
                sum.broke(format!("{} is answered {body:?}", message["params"]["name"]));
            }
        }
        if chance.below(3) == 0 {
            self.send(&self.message(id, "tools/list", json!({})))?.read()?;
        }
        Ok(())
    }

    /// A call of some tool of some server of this endpoint.
    fn call(&self, chance: &mut Chance, id: &mut u64) -> Value {
        // A session is asked in its stream, and one who does not answer waits long: only those of 2026-07-28 ask for it.
        let (tool, arguments) = match chance.below(8) {
            0 if self.modern => (ASKING, json!({"message": "who?"})),
            _ => (chance.of(TOOLS), json!({})),
        };
        let name = if self.path == "/mcp" { format!("{}__{tool}", chance.of(SERVERS)) } else { tool.to_owned() };
        let meta = if chance.below(2) == 0 { json!({"progressToken": *id}) } else { json!({}) };
        self.message(id, "tools/call", json!({"name": name, "arguments": arguments, "_meta": meta}))
    }

    fn message(&self, id: &mut u64, method: &str, mut params: Value) -> Value {
        *id += 1;
        if self.modern {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
        }
        json!({"jsonrpc": "2.0", "id": *id, "method": method, "params": params})
    }

    fn listens(&mut self, chance: &mut Chance, id: &mut u64) -> io::Result<()> {
        let filter = json!({"notifications": {"toolsListChanged": true, "resourcesListChanged": true}});
        let mut stream = self.send(&self.message(id, "subscriptions/listen", filter))?;
        stream.linger(chance.ms(4 * LINGER_MS))
    }

    fn hangs_up(&mut self, chance: &mut Chance, id: &mut u64) -> io::Result<()> {
        let message = self.call(chance, id);
        if chance.below(3) == 0 {
            // Half a request, and silence.
            let whole = self.head("POST", &message.to_string());
            let stream = TcpStream::connect(self.address)?;
            (&stream).write_all(&whole.as_bytes()[..chance.below(whole.len() as u64) as usize])?;
            std::thread::sleep(chance.ms(LINGER_MS));
            return Ok(());
        }
        let body = message.to_string();
        let stream = TcpStream::connect(self.address)?;
        (&stream).write_all(self.head("POST", &body).as_bytes())?;
        std::thread::sleep(chance.ms(LINGER_MS));
        // Sometimes it reads a little first; it may have been refused already.
        if chance.below(2) == 0 {
            stream.set_read_timeout(Some(Duration::from_millis(LINGER_MS)))?;
            let _whatever = (&stream).read(&mut [0; 64]);
        }
        let _gone_already = stream.shutdown(Shutdown::Both);
        Ok(())
    }

    fn send(&self, message: &Value) -> io::Result<Answer> {
        let body = message.to_string();
        self.begin("POST", &body)
    }

    fn head(&self, method: &str, body: &str) -> String {
        let mut head = format!("{method} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.path, self.address);
        head += "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";
        if let Some(session) = &self.session {
            head += &format!("mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n");
        }
        let parsed: Value = serde_json::from_str(body).unwrap_or_default();
        if self.modern {
            head += "mcp-protocol-version: 2026-07-28\r\n";
            head += &format!("mcp-method: {}\r\n", parsed["method"].as_str().unwrap_or_default());
            if let Some(name) = parsed["params"]["name"].as_str() {
                head += &format!("mcp-name: {name}\r\n");
            }
        }
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    }

    fn begin(&self, method: &str, body: &str) -> io::Result<Answer> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        (&stream).write_all(self.head(method, body).as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::Error::other(format!("no answer to {method} {} {body}", self.path)));
            }
            if line == "\r\n" {
                return Ok(Answer { headers, reader });
            }
            headers.push(line.trim_end().to_owned());
        }
    }
}

/// An answer whose body is still to come.
struct Answer {
    headers: Vec<String>,
    reader: BufReader<TcpStream>,
}

impl Answer {
    /// All of it; the connection ends with it.
    fn read(&mut self) -> io::Result<String> {
        let mut body = Vec::new();
        self.reader.read_to_end(&mut body)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// What comes within `time`.
    fn linger(&mut self, time: Duration) -> io::Result<()> {
        self.reader.get_ref().set_read_timeout(Some(time.max(Duration::from_millis(1))))?;
        let mut buffer = [0; 4096];
        match self.reader.read(&mut buffer) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Err(error),
            _ => Ok(()),
        }
    }
}
