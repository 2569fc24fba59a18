//! Processes that a measurement starts, and that end with it: hubs and servers.

use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// For a process to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that ends with this.
pub(crate) struct Running(Child);

impl Running {
    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The trivial server, and where it listens.
pub(crate) fn upstream() -> anyhow::Result<(Running, SocketAddr)> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?.local_addr()?;
    let mut command = Command::new(std::env::current_exe()?);
    let child = command.args(["upstream", "--listen", &address.to_string()]).stdin(Stdio::null()).spawn()?;
    let (running, since) = (Running(child), Instant::now());
    while std::net::TcpStream::connect(address).is_err() {
        if since.elapsed() > PATIENCE {
            bail!("the upstream does not listen at {address}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok((running, address))
}

/// The hub of `program` with this configuration, and where it listens.
pub(crate) fn hub(program: &Path, folder: &Path, config: &Value) -> anyhow::Result<(Running, SocketAddr)> {
    let folder = tempfile::tempdir_in(folder)?.keep();
    let file = folder.join("omni.yaml");
    std::fs::write(&file, config.to_string()).context("cannot write omni.yaml")?;
    let mut command = Command::new(program);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
    command.arg("--data-dir").arg(folder.join("data"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("the hub cannot be started")?;
    let stdout = child.stdout.take();
    let running = Running(child);
    let mut banner = String::new();
    BufReader::new(stdout.context("no standard output")?).read_line(&mut banner)?;
    let address = banner.split_once("listens on http://").and_then(|(_, rest)| rest.split_once("/mcp"));
    let (address, _) = address.with_context(|| format!("the hub did not start: {banner}"))?;
    Ok((running, address.parse()?))
}

/// The one in the middle.
pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
