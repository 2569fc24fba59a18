//! The hub, called both through one server's endpoint and through the endpoint of all servers.

use crate::run::gateway::{Gateway, Route, says};
use crate::run::launch::Launch;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

/// There if it was named.
pub(crate) fn gateway(program: Option<&Path>) -> anyhow::Result<Gateway> {
    let program: PathBuf = program.context("no --omni PATH was given")?.to_owned();
    Ok(Gateway {
        name: "omni",
        version: says(&program, "--version"),
        routes: vec![
            Route { name: "omni", path: "/mcp/bench", prefix: "" },
            Route { name: "omni-all", path: "/mcp", prefix: "bench__" },
        ],
        launch: Box::new(move |site| {
            let file = site.dir.join("omni.yaml");
            let text = format!("auth: {{ mode: none }}\nservers:\n  bench:\n    url: http://{}/mcp\n", site.upstream);
            fs::write(&file, text).context("cannot write omni.yaml")?;
            let (listen, file) = (site.listen.to_string(), file.display().to_string());
            let data = site.dir.join("data").display().to_string();
            Ok(Launch::new(&program, &["serve", "--listen", &listen, "--config", &file, "--data-dir", &data]))
        }),
        has_data: true,
    })
}
