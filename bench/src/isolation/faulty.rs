//! Servers that list a tool as they should and misbehave when it is called, each in one way.

use anyhow::Context;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The piece in which a flood is written.
const PIECE_BYTES: usize = 64 * 1024;
/// Between two bytes of a drip.
const DRIP: Duration = Duration::from_millis(100);
/// What a silent connection is kept open for, at most.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a request.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// One way to be bad.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Never answers.
    Silent,
    /// Resets the connection.
    Resetting,
    /// Answers with HTTP status 500.
    Failing,
    /// Answers with what is no message.
    Rubbish,
    /// Answers with a body without end.
    Flooding,
    /// Answers one byte at a time.
    Dripping,
    /// A process that never answers.
    Hang,
    /// A process that ends in the call.
    CrashOnCall,
    /// A process that writes notifications without end.
    FloodStdout,
    /// A process that writes to standard error without end.
    FloodStderr,
    /// A process that writes a line without end.
    NoNewline,
}

impl Kind {
    /// Its name on the command line, also that of the fixture's fault.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    const fn is_process(self) -> bool {
        matches!(self, Self::Hang | Self::CrashOnCall | Self::FloodStdout | Self::FloodStderr | Self::NoNewline)
    }
}

/// A bad server; one behind HTTP ends with the program.
pub(crate) enum Faulty {
    Web(SocketAddr),
    Process(PathBuf, Kind),
}

impl Faulty {
    /// Starts one; nothing where the program for it was not given.
    pub(crate) fn start(kind: Kind, fixture: Option<&Path>) -> anyhow::Result<Option<Self>> {
        if kind.is_process() {
            return Ok(fixture.map(|fixture| Self::Process(fixture.to_owned(), kind)));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream, kind));
            }
        });
        Ok(Some(Self::Web(address)))
    }

    /// Its entry in `omni.yaml`.
    pub(crate) fn entry(&self) -> Value {
        match self {
            Self::Web(address) => json!({ "url": format!("http://{address}/mcp") }),
            Self::Process(program, kind) => json!({ "command": program, "args": ["bad", kind.name()] }),
        }
    }

    /// The tool to call of this server.
    pub(crate) fn tool(&self, server: &str) -> &'static str {
        if server == "bad" && matches!(self, Self::Process(..)) { "misbehave" } else { "echo" }
    }
}

fn serve(mut stream: TcpStream, kind: Kind) -> Option<()> {
    loop {
        let message = read(&mut stream)?;
        let id = message["id"].clone();
        let result = match message["method"].as_str().unwrap_or_default() {
            "initialize" => json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": { "name": "bad", "version": "1" },
            }),
            "tools/list" => json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] }),
            "tools/call" => return misbehave(&mut stream, kind),
            _ if id.is_null() => {
                stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").ok()?;
                continue;
            }
            _ => {
                stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").ok()?;
                continue;
            }
        };
        let body = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string();
        stream.write_all(head("200 OK", &format!("content-length: {}\r\n", body.len())).as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
    }
}

fn misbehave(stream: &mut TcpStream, kind: Kind) -> Option<()> {
    match kind {
        Kind::Failing => stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").ok()?,
        Kind::Rubbish => stream.write_all(head("200 OK", "content-length: 7\r\n\r\nrubbish").as_bytes()).ok()?,
        Kind::Flooding => {
            stream.write_all(head("200 OK", "connection: close\r\n").as_bytes()).ok()?;
            let piece = vec![b' '; PIECE_BYTES];
            while stream.write_all(&piece).is_ok() {}
        }
        Kind::Dripping => {
            stream.write_all(head("200 OK", "content-length: 100000\r\n").as_bytes()).ok()?;
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(DRIP);
            }
        }
        // It is closed with the request unread to its end, or simply closed: the hub sees a connection that breaks.
        Kind::Resetting => {}
        _ => {
            stream.set_read_timeout(Some(SILENCE)).ok()?;
            let _closed_or_over = stream.read(&mut [0]);
        }
    }
    None
}

fn head(status: &str, more: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}\r\n")
}

fn read(stream: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let body = end + 4..end + 4 + length.unwrap_or(0_usize);
            if bytes.len() >= body.end {
                return Some(serde_json::from_slice(&bytes[body]).unwrap_or_default());
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(count) if count > 0 && bytes.len() < REQUEST_BYTES_MAX => bytes.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
}
