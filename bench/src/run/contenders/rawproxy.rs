//! The baseline of this package: `omni-bench rawproxy`.

use crate::run::gateway::{Gateway, Route};
use crate::run::launch::Launch;
use std::fs;

/// Always there: it is this program.
pub(crate) fn gateway() -> anyhow::Result<Gateway> {
    let program = std::env::current_exe()?;
    // The lock file of the workspace this runs in, if it does.
    let lock = fs::read_to_string("Cargo.lock").unwrap_or_default();
    let hyper = lock.split("name = \"hyper\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    Ok(Gateway {
        name: "rawproxy",
        version: format!("omni-bench {}, hyper {}", env!("CARGO_PKG_VERSION"), hyper.unwrap_or("1")),
        routes: vec![Route { name: "rawproxy", path: "/mcp", prefix: "" }],
        launch: Box::new(move |site| {
            let (listen, to) = (site.listen.to_string(), site.upstream.to_string());
            Ok(Launch::new(&program, &["rawproxy", "--listen", &listen, "--to", &to]))
        }),
        has_data: false,
    })
}
