//! A WebSocket as the load generator needs it: text frames, one out and one in.

use crate::load::session::Plan;
use anyhow::{Context, ensure};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A message may be this long.
const MESSAGE_BYTES_MAX: u64 = 16 << 20;
const HEAD_BYTES_MAX: usize = 8 << 10;
const FIN: u8 = 0x80;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const MASKED: u8 = 0x80;

/// An open one.
pub(crate) struct WebSocket {
    stream: BufReader<TcpStream>,
    out: Vec<u8>,
}

impl WebSocket {
    /// Connects and upgrades.
    pub(crate) async fn connect(plan: &Plan) -> anyhow::Result<Self> {
        let mut stream = BufReader::new(TcpStream::connect(plan.to).await?);
        stream.get_ref().set_nodelay(true)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: mcp\r\n\r\n",
            plan.path, plan.authority
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            ensure!(head.len() < HEAD_BYTES_MAX, "a head that does not end");
            head.push(stream.read_u8().await.context("the upgrade was not answered")?);
        }
        ensure!(head.starts_with(b"HTTP/1.1 101 "), "no upgrade: {:?}", String::from_utf8_lossy(&head));
        Ok(Self { stream, out: Vec::new() })
    }

    /// Sends one text. Its mask is four zeros: this is no browser, and what is measured is the hub.
    pub(crate) async fn send(&mut self, text: &[u8]) -> anyhow::Result<()> {
        self.out.clear();
        self.out.push(FIN | TEXT);
        match (u8::try_from(text.len()), u16::try_from(text.len())) {
            (Ok(short), _) if short < 126 => self.out.push(MASKED | short),
            (_, Ok(middle)) => {
                self.out.push(MASKED | 126);
                self.out.extend_from_slice(&middle.to_be_bytes());
            }
            _ => {
                self.out.push(MASKED | 127);
                self.out.extend_from_slice(&(text.len() as u64).to_be_bytes());
            }
        }
        self.out.extend_from_slice(&[0; 4]);
        self.out.extend_from_slice(text);
        self.stream.write_all(&self.out).await.context("sending a message")
    }

    /// The next text, its frames joined.
    pub(crate) async fn receive(&mut self) -> anyhow::Result<Bytes> {
        let mut message = Vec::new();
        loop {
            let (first, second) = (self.stream.read_u8().await?, self.stream.read_u8().await?);
            let length = match second {
                126 => u64::from(self.stream.read_u16().await?),
                127 => self.stream.read_u64().await?,
                short => u64::from(short),
            };
            ensure!(message.len() as u64 + length <= MESSAGE_BYTES_MAX, "a message of {length} bytes and more");
            ensure!(first & 0x0f != CLOSE, "the hub closed the WebSocket");
            let at = message.len();
            message.resize(at + usize::try_from(length)?, 0);
            self.stream.read_exact(&mut message[at..]).await?;
            if first & 0x0f > CLOSE {
                // A ping: it is not measured for long enough to be missed.
                message.truncate(at);
            } else if first & FIN != 0 {
                return Ok(message.into());
            }
        }
    }
}
