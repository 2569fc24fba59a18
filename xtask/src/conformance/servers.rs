//! The servers that the suite runs against: the fixture, and the hub in front of it. Both end with this program.

use crate::peers::bounded::{self, Owned};
use crate::step;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long the hub may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How often it is asked.
const READY_INTERVAL: Duration = Duration::from_millis(50);
/// How long one of these questions may take.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// How long a hub may take to end, with its servers.
const END_LIMIT: Duration = Duration::from_secs(15);
/// How much of the answer to it is read.
const PROBE_BYTES: u64 = 256;

/// The everything-server of `crates/fixtures`.
#[derive(Debug)]
pub(super) struct Fixture {
    url: String,
    _process: Owned,
}

impl Fixture {
    pub(super) fn start(program: &Path, era: &str) -> Result<Self> {
        let words = [program.to_str().context("the path of omni-fixture is not UTF-8")?, "everything"];
        let mut command = step::command(&words);
        // Its stdin is held open by this program, and it ends when that closes, however this program ends.
        command.args(["--port", "0", "--until-stdin-ends", "--era", era]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Owned::start(&mut command, "omni-fixture")?;
        let stdout = process.process.stdout.take().context("omni-fixture has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("omni-fixture told no address")?;
        let told: Value = serde_json::from_str(&line).with_context(|| format!("omni-fixture said `{line}`"))?;
        let url = told["listening"].as_str().context("omni-fixture told no address")?.replace("127.0.0.1", "localhost");
        Ok(Self { url, _process: process })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// A hub.
#[derive(Debug)]
pub(super) struct Hub {
    address: SocketAddr,
    log: PathBuf,
    process: Owned,
}

impl Hub {
    /// Starts one in front of `servers`, as they stand in its configuration, with all that it writes in `folder`.
    pub(super) fn start(program: &Path, servers: &Value, folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        let config = folder.join("omni.yaml");
        // JSON is YAML.
        fs::write(&config, json!({ "servers": servers, "auth": { "mode": "none" } }).to_string())
            .with_context(|| format!("cannot write {}", config.display()))?;
        let log = folder.join("omni.log");
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let address = free_address()?;
        let program = program.to_str().context("the path of omni is not UTF-8")?;
        // The guard ends the hub when this program ends, however it does.
        let mut command = step::command(&[program, "guard", "--", program, "serve"]);
        command.args(["--listen", &address.to_string(), "--config"]).arg(&config).arg("--data-dir").arg(&data);
        command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output);
        let process = Owned::start(&mut command, "omni")?;
        let mut hub = Self { address, log, process };
        hub.wait_until_ready()?;
        Ok(hub)
    }

    /// The URL of an endpoint, under the name that the suite's check of DNS rebinding wants.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    pub(super) fn last_lines(&self) -> String {
        bounded::last_lines(&self.log)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        while !is_ready(self.address) {
            if let Some(status) = self.process.process.try_wait().context("cannot wait for omni")? {
                bail!("omni ended with {status} before it was ready\n{}", self.last_lines());
            }
            ensure!(
                start.elapsed() < READY_LIMIT,
                "omni was not ready within {} s\n{}",
                READY_LIMIT.as_secs(),
                self.last_lines()
            );
            std::thread::sleep(READY_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // The guard ends the hub when this pipe closes; killed before that, it could not.
        drop(self.process.process.stdin.take());
        let end = Instant::now() + END_LIMIT;
        while matches!(self.process.process.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(READY_INTERVAL);
        }
    }
}

/// The program `name` of this build; an error that says how to build it when it is not there.
pub(super) fn program(name: &str, package: &str, release: bool) -> Result<PathBuf> {
    let (profile, flag) = if release { ("release", " --release") } else { ("debug", "") };
    let path = Path::new("target").join(profile).join(name);
    fs::canonicalize(&path)
        .with_context(|| format!("{} is not built: cargo build{flag} -p {package} --bins", path.display()))
}

/// An address of this machine that nothing listens on now.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    listener.local_addr().context("no free port")
}

/// Whether `GET /readyz` is answered with 200.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PROBE_LIMIT)?;
        stream.set_read_timeout(Some(PROBE_LIMIT))?;
        stream.set_write_timeout(Some(PROBE_LIMIT))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(PROBE_BYTES).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn ready_is_status_200_and_nothing_else() {
        for (answer, ready) in [("HTTP/1.1 200 OK\r\n\r\n", true), ("HTTP/1.1 503 Service Unavailable\r\n\r\n", false)]
        {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                request.read_line(&mut line).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                line
            });
            assert_eq!(is_ready(address), ready);
            assert_eq!(server.join().unwrap(), "GET /readyz HTTP/1.1\r\n");
        }
        assert!(!is_ready(free_address().unwrap()));
    }

    #[test]
    fn a_program_that_is_missing_is_told_with_its_command() {
        let error = program("no-such-program", "omni", true).unwrap_err().to_string();
        assert!(error.contains("cargo build --release -p omni"), "{error}");
    }
}
