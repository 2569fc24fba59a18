//! A running hub: the real program, which dies with the test however the test ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{http, processes, until};

/// The variable that marks every process behind one hub.
const MARK: &str = "OMNI_E2E_MARK";
/// A variable that the hub has and its servers must not get.
pub(crate) const HUB_ALONE: &str = "OMNI_E2E_HUB_ALONE";
/// The file of a home with the certificates that its commands believe instead of the system's.
pub(crate) const TRUSTED: &str = "trusted.pem";
/// For a hub that is asked to stop.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Lines of its log that are shown when a test fails.
const LOG_LINES: usize = 40;

/// The program.
pub(crate) const OMNI: &str = env!("CARGO_BIN_EXE_omni");

/// A running hub.
pub(crate) struct Hub {
    /// The process that the test started: the guard, or the hub itself.
    process: Child,
    /// While it is open, the guard lets the hub live.
    stdin: Option<ChildStdin>,
    _stdout: BufReader<ChildStdout>,
    /// The hub's own process.
    pub(crate) pid: i32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its home, with `omni.yaml`, `data` and `tmp` in it.
    pub(crate) home: TempDir,
    /// `VARIABLE=value`, in the environment of all that it starts.
    pub(crate) mark: String,
}

impl Hub {
    /// A hub in front of `servers`, as they stand in `omni.yaml`.
    pub(crate) fn with(servers: Value) -> Self {
        Self::configured(json!({ "servers": servers }))
    }

    /// The same without checks of arguments, characters and data: for tests of what passes to the byte.
    pub(crate) fn unscreened(servers: Value) -> Self {
        let off = |key: &str| json!({ "nul": key, "control": key, "bidi": key, "hidden": key });
        let detect = json!({ "cards": "off", "keys": "off" });
        let answers = json!({ "characters": off("pass"), "detect": detect, "errors": "pass" });
        let validation = json!({ "arguments": false, "characters": off("pass") });
        Self::configured(json!({ "servers": servers, "answers": answers, "validation": validation }))
    }

    /// A hub with this `omni.yaml`.
    pub(crate) fn configured(config: Value) -> Self {
        Self::start(tempfile::tempdir().unwrap(), config, true)
    }

    /// A hub with this `omni.yaml` at a home that was made ready for it.
    pub(crate) fn at(home: TempDir, config: Value) -> Self {
        Self::start(home, config, true)
    }

    /// A hub that nobody guards, for a test that kills it: what it leaves behind stays to be seen.
    pub(crate) fn unguarded(config: Value) -> Self {
        Self::start(tempfile::tempdir().unwrap(), config, false)
    }

    fn start(home: TempDir, config: Value, guarded: bool) -> Self {
        static HUBS: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{MARK}={}-{}", std::process::id(), HUBS.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(home.path().join("tmp")).unwrap();
        write_config(&home, config, &mark);
        let mut command = command(&home);
        if guarded {
            command.args(["guard", "--", OMNI]);
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(home.path().join("omni.yaml"));
        command.arg("--data-dir").arg(home.path().join("data"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut banner = String::new();
        stdout.read_line(&mut banner).unwrap();
        let own = i32::try_from(process.id()).unwrap();
        let address = banner.split_once("listens on http").and_then(|(_, rest)| rest.split_once("/mcp"));
        let Some((address, _)) = address else {
            panic!("the hub did not start, it said {banner:?} and {}", log_end(&home));
        };
        let address = address.trim_start_matches(['s', ':', '/']);
        let pid = if guarded { processes::children(own)[0].pid } else { own };
        let address = address.parse().unwrap();
        Self { stdin: process.stdin.take(), process, _stdout: stdout, pid, address, home, mark }
    }

    /// Writes another `omni.yaml`; the hub takes it over while it runs.
    pub(crate) fn reconfigure(&self, config: Value) {
        write_config(&self.home, config, &self.mark);
    }

    /// The file of its configuration.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.home.path().join("omni.yaml")
    }

    /// Its log up to now.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("hub.log")).unwrap()
    }

    /// What `/readyz` says.
    pub(crate) async fn ready(&self) -> Value {
        let answer = http::get(self.address, "/readyz", &[]).await;
        assert_eq!(answer.status, 200);
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// What `/readyz` says of one server.
    pub(crate) async fn server(&self, name: &str) -> Value {
        let ready = self.ready().await;
        let found = ready["servers"].as_array().unwrap().iter().find(|server| server["name"] == name);
        found.unwrap_or_else(|| panic!("no server `{name}` in {ready}")).clone()
    }

    /// Waits until every server has told what it offers, so that no client comes before.
    pub(crate) async fn awake(&self) {
        until("every server tells its tools", 20, async || {
            let ready = self.ready().await;
            let servers = ready["servers"].as_array().unwrap();
            let all = servers.iter().all(|server| server["tools"].as_u64().unwrap() > 0);
            if all { Ok(()) } else { Err(ready.to_string()) }
        })
        .await;
    }

    /// The processes behind it, guards included.
    pub(crate) fn processes(&self) -> Vec<processes::Process> {
        processes::marked(&self.mark)
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        processes::signal(self.pid, Signal::TERM);
    }

    /// Waits until it has stopped; its exit code.
    pub(crate) fn stopped(&mut self) -> Option<i32> {
        let end = Instant::now() + STOP_LIMIT;
        while Instant::now() < end {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the hub did not stop within {} s", STOP_LIMIT.as_secs());
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the hub's log ended with\n{}", log_end(&self.home));
        }
        let end = Instant::now() + STOP_LIMIT;
        if matches!(self.process.try_wait(), Ok(None)) {
            self.terminate();
        }
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Whatever is left now is the guard's business; it sees the pipe close.
        drop(self.stdin.take());
    }
}

/// `omni` with a clean environment, at home in `home`.
pub(crate) fn command(home: &TempDir) -> Command {
    let log = fs::File::options().create(true).append(true).open(home.path().join("hub.log")).unwrap();
    let mut command = Command::new(OMNI);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.path());
    // Tests count its descriptors and threads, which a hub shows to nobody else.
    command.env(HUB_ALONE, "1").env("OMNI_DUMPABLE", "1");
    // Of a test's own authority, where it has one.
    let trusted = home.path().join(TRUSTED);
    if trusted.exists() {
        command.env("SSL_CERT_FILE", trusted);
    }
    command.env("TMPDIR", home.path().join("tmp")).current_dir(home.path()).stderr(log);
    command
}

/// JSON is YAML.
fn write_config(home: &TempDir, mut config: Value, mark: &str) {
    let (variable, value) = mark.split_once('=').unwrap();
    for server in config["servers"].as_object_mut().unwrap().values_mut() {
        if server.get("url").is_none() {
            server["env"][variable] = json!(value);
        }
    }
    // What is tested is rarely who may come in; the tests of logins say so themselves.
    if config.get("auth").is_none() {
        config["auth"] = json!({ "mode": "none" });
    }
    // A reader must never find half a file.
    let (whole, file) = (home.path().join("omni.yaml.new"), home.path().join("omni.yaml"));
    fs::write(&whole, serde_json::to_string_pretty(&config).unwrap()).unwrap();
    fs::rename(whole, file).unwrap();
}

fn log_end(home: &TempDir) -> String {
    let log = fs::read(home.path().join("hub.log")).unwrap_or_default();
    let text = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
