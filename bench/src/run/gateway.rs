//! A gateway as the run sees it: how it is started, and the routes through it that are measured.

use crate::load::Era;
use crate::run::launch::Launch;
use anyhow::ensure;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says how a gateway is started at a site.
pub(crate) type Launching = Box<dyn Fn(&Site) -> anyhow::Result<Launch>>;

/// A process in front of the upstream.
pub(crate) struct Gateway {
    /// Short and unique; rows of the results bear it.
    pub(crate) name: &'static str,
    /// What is printed of its version and settings.
    pub(crate) version: String,
    /// The ways it is called, the first being the one its start is timed by.
    pub(crate) routes: Vec<Route>,
    /// Says how to start it; writes its configuration into the site's directory.
    pub(crate) launch: Launching,
    /// Keeps data that a second start finds.
    pub(crate) has_data: bool,
}

/// One way through a gateway: this is what is measured.
#[derive(Clone)]
pub(crate) struct Route {
    /// Short and unique.
    pub(crate) name: &'static str,
    /// Path of the endpoint.
    pub(crate) path: &'static str,
    /// Put before the upstream's tool names.
    pub(crate) prefix: &'static str,
}

/// Where a gateway shall run.
pub(crate) struct Site {
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: SocketAddr,
    /// An era that the upstream speaks.
    pub(crate) era: Era,
    /// Its own; holds configuration, data and log.
    pub(crate) dir: PathBuf,
    /// How many servers the hub has before it, and over what.
    pub(crate) shape: Shape,
}

/// What stands behind the hub. Other gateways have the one upstream over HTTP.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// So many servers, all of them the one upstream.
    pub(crate) servers: usize,
    /// The server is a process of the hub's own.
    pub(crate) stdio: Option<Piped>,
}

/// A server over stdio.
#[derive(Clone, Copy)]
pub(crate) enum Piped {
    /// This program's: it costs next to nothing.
    Upstream,
    /// The Python SDK's, as most servers are written.
    Sdk,
}

impl Piped {
    /// Its program and arguments.
    pub(crate) fn command(self) -> anyhow::Result<Vec<String>> {
        let own = || anyhow::Ok(std::env::current_exe()?.display().to_string());
        Ok(match self {
            Self::Upstream => vec![own()?, "upstream".to_owned(), "--stdio".to_owned()],
            Self::Sdk => {
                ensure!(Path::new(PYTHON).exists(), "{PYTHON} is not there: cargo xtask fixtures");
                vec![
                    std::path::absolute(PYTHON)?.display().to_string(),
                    std::path::absolute(SERVER)?.display().to_string(),
                ]
            }
        })
    }
}

/// Where `cargo xtask fixtures` puts the Python SDK, and the server written with it.
const PYTHON: &str = "target/peers/venv/bin/python";
const SERVER: &str = "bench/stdio_echo.py";

impl Default for Shape {
    fn default() -> Self {
        Self { servers: 1, stdio: None }
    }
}

/// What a program prints when asked, first line; empty if it cannot be asked.
pub(crate) fn says(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}
