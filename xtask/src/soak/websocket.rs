//! A client on a WebSocket (RFC 6455, subprotocol `mcp`), of 2025-11-25 or 2026-07-28.

use crate::soak::http::{ANSWER_WAIT, Answer};
use crate::soak::road::Road;
use crate::soak::sse::read_what_is_there;
use crate::soak::words::{Era, Words};
use serde_json::{Value, json};
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::TcpStream;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// The last frame of a message.
const LAST: u8 = 0x80;
/// A frame of the client's is masked; by what does not matter here.
const MASK: [u8; 4] = [7, 1, 5, 3];

/// The client.
pub(super) struct WebSocket(BufReader<TcpStream>);

impl WebSocket {
    /// Opens the WebSocket, and a session where its era has one; nothing when there is no such endpoint at the moment.
    pub(super) fn open(road: &Road<'_>, words: &mut Words<'_>) -> io::Result<Option<Self>> {
        let (address, path) = (road.hub.address(), words.path("/mcp"));
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        stream.set_write_timeout(Some(ANSWER_WAIT))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: mcp\r\n\r\n"
        )?;
        let answer = Answer::of(stream)?;
        if answer.status() != "101" {
            road.sum.refused();
            return Ok(None);
        }
        let mut client = Self(answer.into_reader());
        if words.era == Era::Session {
            let hello = words.initialize();
            client.say(&hello.to_string())?;
            if client.answer(words, false)?["result"].is_null() {
                road.sum.refused();
                return Ok(None);
            }
            client.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string())?;
        }
        Ok(Some(client))
    }

    fn send(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![LAST | kind];
        match u16::try_from(payload.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | length as u8),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
        self.0.get_mut().write_all(&frame)
    }

    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.send(TEXT, text.as_bytes())
    }

    fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let length = match head[1] {
            126 => {
                let mut bytes = [0; 2];
                self.0.read_exact(&mut bytes)?;
                u64::from(u16::from_be_bytes(bytes))
            }
            127 => {
                let mut bytes = [0; 8];
                self.0.read_exact(&mut bytes)?;
                u64::from_be_bytes(bytes)
            }
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload)?;
        Ok((head[0], payload))
    }

    /// The next message.
    fn hear(&mut self) -> io::Result<Value> {
        let mut whole = Vec::new();
        loop {
            let (head, payload) = self.frame()?;
            match head & 0xf {
                PING => self.send(PONG, &payload)?,
                PONG => {}
                CLOSE => return Err(io::Error::other(format!("it is closed: {}", String::from_utf8_lossy(&payload)))),
                _ => {
                    whole.extend(payload);
                    if head & LAST != 0 {
                        return serde_json::from_slice(&whole).map_err(io::Error::other);
                    }
                }
            }
        }
    }

    /// The next answer. What a server asks on the way is answered, if `answers`.
    fn answer(&mut self, words: &mut Words<'_>, answers: bool) -> io::Result<Value> {
        loop {
            let message = self.hear()?;
            if message.get("method").is_none() {
                return Ok(message);
            }
            if message.get("id").is_some() && (answers || !words.chance.one_in(4)) {
                self.say(&Words::response(&message).to_string())?;
            }
        }
    }

    /// Calls, several at a time, some of which ask something; it leaves with a word or without.
    pub(super) fn calls(&mut self, road: &Road<'_>, words: &mut Words<'_>) -> io::Result<()> {
        for _ in 0..1 + words.chance.below(4) {
            if road.is_over() {
                return Ok(());
            }
            let together = 1 + words.chance.below(6);
            for _ in 0..together {
                let asks = words.chance.one_in(8);
                let call = if asks { words.asking() } else { words.call() };
                self.say(&call.to_string())?;
                if words.chance.one_in(20) {
                    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": call["id"]}});
                    // A call that is cancelled has no answer, or it has come already: nobody counts these.
                    self.say(&cancel.to_string())?;
                    road.sum.count("calls cancelled on a WebSocket");
                    return Ok(());
                }
            }
            // Sometimes it leaves in the middle, sometimes in the middle of a frame.
            if words.chance.one_in(10) {
                if words.chance.one_in(2) {
                    self.0.get_mut().write_all(&[LAST | TEXT, 0x80 | 100, 1, 2])?;
                }
                return Ok(());
            }
            for _ in 0..together {
                let answer = self.answer(words, true)?;
                road.sum.ended("a call on a WebSocket", &answer.to_string());
            }
        }
        if words.chance.one_in(2) {
            self.send(CLOSE, &1000_u16.to_be_bytes())?;
            read_what_is_there(&mut self.0)?;
        }
        Ok(())
    }

    pub(super) fn read_what_is_there(&mut self) -> io::Result<()> {
        read_what_is_there(&mut self.0)
    }
}
