//! A rival that installs by name: the Rust crate `mcp-proxy` (`cargo install mcp-proxy --version 0.6.0 --root DIR`).

use crate::run::gateway::{Gateway, Route};
use crate::run::launch::Launch;
use anyhow::Context;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// There if it was named.
pub(crate) fn gateway(program: Option<&Path>) -> anyhow::Result<Gateway> {
    let program: PathBuf = program.context("no --mcp-proxy PATH was given")?.to_owned();
    Ok(Gateway {
        name: "mcp-proxy",
        version: installed_version(&program).unwrap_or_else(|| "version unknown".to_owned()),
        routes: vec![Route { name: "mcp-proxy", path: "/", prefix: "bench__" }],
        launch: Box::new(move |site| {
            let file = site.dir.join("proxy.toml");
            let (ip, port) = (site.listen.ip(), site.listen.port());
            let text = format!(
                "[proxy]\nname = \"bench\"\nseparator = \"__\"\n\n[proxy.listen]\nhost = \"{ip}\"\nport = {port}\n\n\
                 [[backends]]\nname = \"bench\"\ntransport = \"http\"\nurl = \"http://{}/mcp\"\n\n\
                 [observability]\nlog_level = \"error\"\n",
                site.upstream
            );
            fs::write(&file, text).context("cannot write proxy.toml")?;
            Ok(Launch::new(&program, &["--config", &file.display().to_string()]))
        }),
        has_data: false,
    })
}

/// The program does not tell its version, but cargo wrote beside it what it installed, and with which features.
fn installed_version(program: &Path) -> Option<String> {
    let root = program.parent()?.parent()?;
    let installed: Value = serde_json::from_str(&fs::read_to_string(root.join(".crates2.json")).ok()?).ok()?;
    let (package, how) =
        installed.get("installs")?.as_object()?.iter().find(|(name, _)| name.starts_with("mcp-proxy "))?;
    let version = package.split(' ').nth(1)?;
    let features = if how.get("no_default_features")?.as_bool()? { ", no default features" } else { "" };
    Some(format!("{version}{features}"))
}
