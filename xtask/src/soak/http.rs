//! A client of Streamable HTTP, one connection a request.

use crate::soak::words::{Era, Words};
use serde_json::{Value, json};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any call may take, its wait for a server included.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// A client at one endpoint.
pub(super) struct Client<'a> {
    address: &'a str,
    path: String,
    session: Option<String>,
    modern: bool,
}

impl<'a> Client<'a> {
    pub(super) fn new(address: &'a str, words: &Words<'_>) -> Self {
        Self { address, path: words.path("/mcp"), session: None, modern: words.era == Era::Modern }
    }

    /// Opens a session; `false` when that is refused.
    pub(super) fn initialize(&mut self, words: &mut Words<'_>) -> io::Result<bool> {
        let mut answer = self.send(&words.initialize())?;
        let Some(session) = answer.headers.iter().find_map(|line| line.strip_prefix("mcp-session-id: ")) else {
            return Ok(false);
        };
        self.session = Some(session.to_owned());
        answer.read()?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?.read()?;
        Ok(true)
    }

    pub(super) fn send(&self, message: &Value) -> io::Result<Answer> {
        self.begin("POST", &message.to_string(), None)
    }

    pub(super) fn head(&self, method: &str, body: &str, last_event: Option<&str>) -> String {
        let mut head = format!("{method} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.path, self.address);
        let accept = if method == "GET" { "text/event-stream" } else { "application/json, text/event-stream" };
        head += &format!("content-type: application/json\r\naccept: {accept}\r\n");
        if let Some(session) = &self.session {
            head += &format!("mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n");
        }
        if let Some(last) = last_event {
            head += &format!("last-event-id: {last}\r\n");
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

    pub(super) fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        Ok(stream)
    }

    pub(super) fn begin(&self, method: &str, body: &str, last_event: Option<&str>) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.write_all(self.head(method, body, last_event).as_bytes())?;
        Answer::of(stream).map_err(|error| io::Error::other(format!("{error}: {method} {} {body}", self.path)))
    }
}

/// An answer whose body is still to come.
pub(super) struct Answer {
    headers: Vec<String>,
    reader: BufReader<TcpStream>,
}

impl Answer {
    pub(super) fn of(stream: TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(io::Error::other("no answer"));
            }
            if line == "\r\n" {
                return Ok(Self { headers, reader });
            }
            headers.push(line.trim_end().to_owned());
        }
    }

    pub(super) fn status(&self) -> &str {
        self.headers.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default()
    }

    pub(super) fn into_reader(self) -> BufReader<TcpStream> {
        self.reader
    }

    fn is_stream(&self) -> bool {
        self.headers.iter().any(|line| line.starts_with("content-type: text/event-stream"))
    }

    /// All of it; the connection ends with it.
    pub(super) fn read(&mut self) -> io::Result<String> {
        let mut body = Vec::new();
        self.reader.read_to_end(&mut body)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The answer alone, whatever came before it.
    pub(super) fn message(&mut self) -> io::Result<String> {
        if self.is_stream() { self.until_answer() } else { self.read() }
    }

    /// The last message of a stream: a request's answer. What is refused is no stream.
    pub(super) fn until_answer(&mut self) -> io::Result<String> {
        if !self.is_stream() {
            return self.read();
        }
        let mut last = String::new();
        while let Some(message) = next_message(&mut self.reader)? {
            last = message;
        }
        Ok(last)
    }

    /// Reads up to the first event that has an id; nothing when the answer is no stream.
    pub(super) fn first_event_id(&mut self) -> io::Result<Option<String>> {
        if !self.is_stream() {
            return Ok(None);
        }
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            if let Some(id) = line.strip_prefix("id: ") {
                return Ok(Some(id.trim_end().to_owned()));
            }
        }
    }

    /// What comes within `time`.
    pub(super) fn linger(&mut self, time: Duration) -> io::Result<()> {
        self.reader.get_ref().set_read_timeout(Some(time.max(Duration::from_millis(1))))?;
        let mut buffer = [0; 4096];
        match self.reader.read(&mut buffer) {
            Err(error) if !is_timeout(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Data of the next event that has any; nothing at the end of the stream. The frames of a chunked body are lines of
/// their own, and no field of an event.
pub(super) fn next_message(reader: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some(data) = line.strip_prefix("data: ")
            && !data.trim_end().is_empty()
        {
            return Ok(Some(data.trim_end().to_owned()));
        }
    }
}
