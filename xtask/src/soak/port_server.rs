//! A server of a soak on a port, ended and started anew.

use crate::soak::programs::program;
use crate::step;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The conforming server behind Streamable HTTP, ended and started anew on its port.
pub(super) struct PortServer {
    now: Mutex<Child>,
    pub(super) url: String,
}

impl PortServer {
    pub(super) fn start() -> Result<Self> {
        let (child, url) = serve("127.0.0.1:0")?;
        Ok(Self { now: Mutex::new(child), url })
    }

    /// Ends it at once, and starts it again after `pause`.
    pub(super) fn restart(&self, pause: Duration) -> Result<()> {
        let mut server = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        server.kill()?;
        server.wait()?;
        std::thread::sleep(pause);
        *server = serve(self.url.trim_start_matches("http://").trim_end_matches("/mcp"))?.0;
        Ok(())
    }

    pub(super) fn stop(self) -> Result<()> {
        let mut server = self.now.into_inner().unwrap_or_else(PoisonError::into_inner);
        let _gone_already = server.kill();
        server.wait()?;
        Ok(())
    }
}

fn serve(address: &str) -> Result<(Child, String)> {
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
