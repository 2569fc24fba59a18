//! A client of HTTP+SSE (2024-11-05): a stream, and messages posted to the address that it names.

use crate::soak::http::{ANSWER_WAIT, Answer, is_timeout, next_message};
use crate::soak::road::Road;
use crate::soak::words::Words;
use serde_json::{Value, json};
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What is told of a stream that ended where an answer should have come.
pub(super) const ENDED: &str = "the stream ended";
/// For what is there already to be read.
const READ_WAIT: Duration = Duration::from_millis(300);

/// The client.
pub(super) struct Sse {
    address: String,
    stream: BufReader<TcpStream>,
    uri: String,
}

impl Sse {
    /// Opens the stream and the session; nothing when there is no such endpoint at the moment.
    pub(super) fn open(road: &Road<'_>, words: &mut Words<'_>) -> io::Result<Option<Self>> {
        let address = road.hub.address().to_owned();
        let mut stream = TcpStream::connect(&address)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        let path = words.path("/sse");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n")?;
        let answer = Answer::of(stream)?;
        if answer.status() != "200" {
            road.sum.refused();
            return Ok(None);
        }
        let mut stream = answer.into_reader();
        let uri = next_message(&mut stream)?.ok_or_else(|| io::Error::other("no endpoint is named"))?;
        let mut client = Self { address, stream, uri };
        let hello = words.initialize();
        if !client.post(&hello)? || client.answer()?["result"].is_null() {
            road.sum.refused();
            return Ok(None);
        }
        client.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(Some(client))
    }

    /// Posts a message; `false` when it was refused, so that no answer comes.
    pub(super) fn post(&mut self, message: &Value) -> io::Result<bool> {
        let body = message.to_string();
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        let (uri, address, length) = (&self.uri, &self.address, body.len());
        write!(
            stream,
            "POST {uri} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = Answer::of(stream)?;
        // One that reads too slowly is told to, or has lost its stream; its server may have left the configuration.
        if !["202", "429", "404"].contains(&answer.status()) {
            let why = answer.read()?;
            return Err(io::Error::other(format!("a message is answered {} {why}", answer.status())));
        }
        Ok(answer.status() == "202")
    }

    /// The next answer on the stream.
    fn answer(&mut self) -> io::Result<Value> {
        loop {
            let Some(message) = next_message(&mut self.stream)? else {
                return Err(io::Error::other(ENDED));
            };
            let message: Value = serde_json::from_str(&message)
                .map_err(|error| io::Error::other(format!("{error} in an event: {message}")))?;
            if message.get("method").is_none() {
                return Ok(message);
            }
        }
    }

    /// Calls, several at a time.
    pub(super) fn calls(&mut self, road: &Road<'_>, words: &mut Words<'_>) -> io::Result<()> {
        for _ in 0..1 + words.chance.below(4) {
            if road.is_over() {
                return Ok(());
            }
            let together = 1 + words.chance.below(4);
            for _ in 0..together {
                let call = words.call();
                if !self.post(&call)? {
                    road.sum.refused();
                    return Ok(());
                }
            }
            // Sometimes it leaves in the middle.
            if words.chance.one_in(10) {
                return Ok(());
            }
            for _ in 0..together {
                let answer = self.answer()?;
                road.sum.ended("a call over HTTP+SSE", &answer.to_string());
            }
        }
        Ok(())
    }

    pub(super) fn read_what_is_there(&mut self) -> io::Result<()> {
        read_what_is_there(&mut self.stream)
    }
}

/// Reads until nothing comes any more; the hub may have given it up.
pub(super) fn read_what_is_there(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    stream.get_ref().set_read_timeout(Some(READ_WAIT))?;
    let mut buffer = [0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if is_timeout(&error) || error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
