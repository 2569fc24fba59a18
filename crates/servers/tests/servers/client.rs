//! A plain client on an in-memory pipe.

use std::path::{Path, PathBuf};
use std::time::Duration;

use omni_servers::{BuiltIn, filesystem, serve_streams};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

/// No answer in the tests takes longer than this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    writer: Option<WriteHalf<DuplexStream>>,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    server: JoinHandle<anyhow::Result<()>>,
    next_id: u64,
}

/// The result of a tool call.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) failed: bool,
    pub(crate) text: String,
    pub(crate) result: Value,
}

impl Client {
    /// A server without a session.
    pub(crate) fn connect(which: BuiltIn) -> Self {
        let (ours, theirs) = tokio::io::duplex(1024 * 1024);
        let (reader, writer) = tokio::io::split(theirs);
        let server = tokio::spawn(serve_streams(which, reader, writer));
        let (reader, writer) = tokio::io::split(ours);
        Self { writer: Some(writer), lines: BufReader::new(reader).lines(), server, next_id: 1 }
    }

    /// A server with a session of the newest revision that has sessions.
    pub(crate) async fn start(which: BuiltIn) -> Self {
        let mut client = Self::connect(which);
        let hello =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
        let answer = client.request("initialize", hello).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        client
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, line: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(line.as_bytes()).await.unwrap();
        writer.write_all(b"\n").await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("no answer in time").unwrap();
        serde_json::from_str(&line.expect("the server closed its output")).unwrap()
    }

    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        let answer = self.receive().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Called {
        let answer = self.request("tools/call", json!({"name": tool, "arguments": arguments})).await;
        let result = answer["result"].clone();
        assert!(result.is_object(), "{tool} was not answered with a result: {answer}");
        let blocks = result["content"].as_array().unwrap();
        let text = blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n");
        Called { failed: result["isError"] == true, text, result }
    }

    /// A call that must work.
    pub(crate) async fn ok(&mut self, tool: &str, arguments: Value) -> Called {
        let called = self.call(tool, arguments.clone()).await;
        assert!(!called.failed, "{tool} {arguments} failed: {}", called.text);
        called
    }

    /// A call that must fail with a text that holds `reason`.
    pub(crate) async fn refused(&mut self, tool: &str, arguments: Value, reason: &str) {
        let called = self.call(tool, arguments.clone()).await;
        assert!(called.failed, "{tool} {arguments} was answered: {}", called.text);
        assert!(called.text.contains(reason), "{tool} {arguments}: {:?} does not say {reason:?}", called.text);
    }

    pub(crate) async fn tool_names(&mut self) -> Vec<String> {
        let answer = self.request("tools/list", json!({})).await;
        let tools = answer["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Ends the input and gives what still came.
    pub(crate) async fn finish(mut self) -> Vec<Value> {
        drop(self.writer.take().unwrap().shutdown().await);
        let mut rest = Vec::new();
        while let Some(line) = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap() {
            rest.push(serde_json::from_str(&line).unwrap());
        }
        tokio::time::timeout(PATIENCE, self.server).await.expect("the server did not end").unwrap().unwrap();
        rest
    }
}

/// The Filesystem server on these directories.
pub(crate) fn files(roots: &[&Path], write: bool) -> BuiltIn {
    let roots: Vec<PathBuf> = roots.iter().map(|root| root.to_path_buf()).collect();
    BuiltIn::Filesystem(filesystem::Options { roots, write })
}
