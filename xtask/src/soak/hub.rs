//! A hub under guard, with its files in a folder, asked for its state and stopped by its process id alone.

use crate::soak::port_server::PortServer;
use crate::soak::programs::program;
use crate::step;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For the hub to answer, or to stop.
const WAIT: Duration = Duration::from_secs(20);

/// The hub under test, and the servers on ports behind it.
pub(super) struct Hub {
    own: OneHub,
    /// A hub that is one of its servers: over HTTP+SSE and WebSocket.
    pub(super) behind: Behind,
    pub(super) port_server: PortServer,
}

/// A hub behind the hub, which is ended and started again at its address.
pub(super) struct Behind {
    now: Mutex<Option<OneHub>>,
    pub(super) address: String,
    folder: PathBuf,
}

/// One running hub.
pub(super) struct OneHub {
    /// Its guard, which ends it when this program ends, however that happens.
    guard: Mutex<Child>,
    pid: u32,
    pub(super) address: String,
    folder: PathBuf,
}

impl OneHub {
    /// A hub with its `omni.yaml`, its log and its data in `folder`.
    fn start(folder: &Path, listen: &str) -> Result<Self> {
        let log = fs::File::options().create(true).append(true).open(folder.join("hub.log"))?;
        let omni = program("omni")?.display().to_string();
        let mut guard = step::command(&[&omni, "guard", "--", &omni, "serve", "--listen", listen])
            // Its descriptors and memory are counted, which a hub shows to nobody else.
            .env("OMNI_DUMPABLE", "1")
            .arg("--config")
            .arg(folder.join("omni.yaml"))
            .arg("--data-dir")
            .arg(folder.join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start omni")?;
        let mut banner = String::new();
        BufReader::new(guard.stdout.take().context("no output")?).read_line(&mut banner)?;
        let address = banner.split_once("listens on http://").and_then(|(_, rest)| rest.split_once("/mcp"));
        let Some((address, _)) = address else { bail!("the hub did not start, it said {banner:?}") };
        let pid = *children(guard.id()).first().context("the guard has no hub")?;
        Ok(Self { guard: Mutex::new(guard), pid, address: address.to_owned(), folder: folder.to_owned() })
    }

    fn is_alive(&self) -> bool {
        matches!(self.guard.lock().unwrap_or_else(PoisonError::into_inner).try_wait(), Ok(None))
    }

    fn ready(&self) -> Result<Value> {
        ready(&self.address)
    }

    /// Waits until it has ended by itself after `signal`; what is wrong about that.
    fn ended(self, name: &str) -> Result<Vec<String>> {
        let behind = descendants(self.pid);
        let mut wrong = Vec::new();
        signal(name, self.pid);
        let mut guard = self.guard.into_inner().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + WAIT;
        while matches!(guard.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        if matches!(guard.try_wait(), Ok(None)) {
            wrong.push(format!("the hub did not stop within {} s", WAIT.as_secs()));
            let _gone_already = guard.kill();
        }
        guard.wait()?;
        // A hub that is killed leaves its processes to their guards, which need a moment.
        let left = || -> Vec<u32> { behind.iter().copied().filter(|pid| runs(*pid)).collect() };
        while !left().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        if !left().is_empty() {
            wrong.push(format!("processes {:?} outlived the hub", left()));
        }
        Ok(wrong)
    }
}

impl Behind {
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let hub = OneHub::start(folder, "127.0.0.1:0")?;
        let address = hub.address.clone();
        Ok(Self { now: Mutex::new(Some(hub)), address, folder: folder.to_owned() })
    }

    /// Ends it with a signal, and starts it again after `pause`; what is wrong about its end.
    pub(super) fn restart(&self, name: &str, pause: Duration) -> Result<Vec<String>> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = now.take().map_or_else(|| Ok(Vec::new()), |hub| hub.ended(name))?;
        std::thread::sleep(pause);
        *now = Some(OneHub::start(&self.folder, &self.address)?);
        Ok(wrong)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|hub| hub.pid)
    }

    pub(super) fn ready(&self) -> Result<Value> {
        ready(&self.address)
    }

    fn stop(self) -> Result<Vec<String>> {
        let hub = self.now.into_inner().unwrap_or_else(PoisonError::into_inner);
        hub.map_or_else(|| Ok(Vec::new()), |hub| hub.ended("TERM"))
    }
}

impl Hub {
    pub(super) fn start(folder: &Path, behind: Behind, port_server: PortServer) -> Result<Self> {
        Ok(Self { own: OneHub::start(folder, "127.0.0.1:0")?, behind, port_server })
    }

    pub(super) const fn pid(&self) -> u32 {
        self.own.pid
    }

    pub(super) fn address(&self) -> &str {
        &self.own.address
    }

    pub(super) fn folder(&self) -> &Path {
        &self.own.folder
    }

    pub(super) fn is_alive(&self) -> bool {
        self.own.is_alive()
    }

    pub(super) fn log_end(&self) -> String {
        let log = fs::read_to_string(self.own.folder.join("hub.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// What `/readyz` says.
    pub(super) fn ready(&self) -> Result<Value> {
        self.own.ready()
    }

    /// Asks the hub to stop; what it left behind.
    pub(super) fn stop(self) -> Result<Vec<String>> {
        let mut wrong = self.own.ended("TERM")?;
        wrong.extend(self.behind.stop()?.into_iter().map(|what| format!("the hub behind: {what}")));
        self.port_server.stop()?;
        Ok(wrong)
    }
}

fn ready(address: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(address).context("the hub takes no connection")?;
    stream.set_read_timeout(Some(WAIT))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").context("no answer from /readyz")?.1;
    serde_json::from_str(body).context("/readyz says no JSON")
}

/// Sends a signal to one process of the soak's own.
pub(super) fn signal(name: &str, pid: u32) {
    // One that is gone already is as well.
    let _done = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).stderr(Stdio::null()).status();
}

/// Its parent, and whether it waits to be taken note of; nothing when there is no such process.
fn parent(pid: u32) -> Option<(u32, bool)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks and brackets; what follows its last bracket does not.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let is_zombie = fields.next()? == "Z";
    Some((fields.next()?.parse().ok()?, is_zombie))
}

fn runs(pid: u32) -> bool {
    parent(pid).is_some_and(|(_, is_zombie)| !is_zombie)
}

fn parents() -> Vec<(u32, u32)> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, parent(pid)?.0))).collect()
}

fn children(pid: u32) -> Vec<u32> {
    parents().into_iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| child).collect()
}

/// Every process that descends from `pid`, those that guard others among them.
pub(super) fn descendants(pid: u32) -> Vec<u32> {
    let parents = parents();
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let of = found[at];
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(child, _)| *child));
        at += 1;
    }
    found.split_off(1)
}
