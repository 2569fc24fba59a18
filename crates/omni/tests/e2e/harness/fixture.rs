//! The fixture servers: as entries of `omni.yaml`, and as a program on a port.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::hub::OMNI;

/// The program. Cargo builds only the binaries of the package under test for it, so this one has to be there.
pub(crate) fn program() -> PathBuf {
    let path = PathBuf::from(OMNI).with_file_name("omni-fixture");
    assert!(path.is_file(), "{} is not built: run `cargo build -p omni-fixtures`", path.display());
    path
}

/// The entry of the conforming server, on stdio.
pub(crate) fn everything(arguments: &[&str]) -> Value {
    entry(&[&["everything", "--stdio"], arguments].concat())
}

/// The entry of a server that misbehaves.
pub(crate) fn bad(arguments: &[&str]) -> Value {
    entry(&[&["bad"], arguments].concat())
}

fn entry(arguments: &[&str]) -> Value {
    json!({ "command": program(), "args": arguments })
}

/// The conforming server on a port; it ends when this is dropped, or the test dies.
pub(crate) struct HttpFixture {
    process: Child,
    /// Its endpoint.
    pub(crate) url: String,
}

impl HttpFixture {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", arguments)
    }

    pub(crate) fn start_at(address: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.args(["everything", "--http", address, "--until-stdin-ends"]).args(arguments);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        Self { process, url: said["listening"].as_str().unwrap().to_owned() }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned()
    }

    /// Its entry in `omni.yaml`.
    pub(crate) fn entry(&self) -> Value {
        json!({ "url": self.url })
    }
}

impl Drop for HttpFixture {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}
