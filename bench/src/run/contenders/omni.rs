//! The hub, called both through one server's endpoint and through the endpoint of all servers.

use crate::run::gateway::{Gateway, Route, Site, says};
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
            fs::write(&file, configuration(site)?).context("cannot write omni.yaml")?;
            let (listen, file) = (site.listen.to_string(), file.display().to_string());
            let data = site.dir.join("data").display().to_string();
            Ok(Launch::new(&program, &["serve", "--listen", &listen, "--config", &file, "--data-dir", &data]))
        }),
        has_data: true,
    })
}

/// More connections and sessions than by default are let in, for the measurements of idle ones.
fn configuration(site: &Site) -> anyhow::Result<String> {
    let mut text =
        String::from("auth: { mode: none }\ngateway:\n  connections_max: 20000\n  sessions_max: 20000\nservers:\n");
    for number in 0..site.shape.servers {
        let name = if site.shape.servers == 1 { "bench".to_owned() } else { format!("bench{number:03}") };
        if let Some(piped) = site.shape.stdio {
            let command = piped.command()?;
            let (program, args) = command.split_first().context("no program")?;
            text.push_str(&format!("  {name}:\n    command: {program}\n    args: {args:?}\n"));
        } else {
            text.push_str(&format!("  {name}:\n    url: http://{}/mcp\n", site.upstream));
        }
    }
    Ok(text)
}
