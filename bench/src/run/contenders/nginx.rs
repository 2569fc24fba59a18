//! nginx as a plain proxy: one worker, keep-alive on both sides, no access log.

use crate::run::gateway::{Gateway, Route, Site, says};
use crate::run::launch::Launch;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

/// Where distributions put it, besides PATH.
const PLACES: [&str; 3] = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];

/// There if `program` or an installed nginx is.
pub(crate) fn gateway(program: Option<&Path>) -> anyhow::Result<Gateway> {
    let installed = || PLACES.iter().map(PathBuf::from).find(|place| place.exists());
    let program =
        program.map(Path::to_owned).or_else(installed).context("nginx is not installed (Debian: nginx-light)")?;
    let version = says(&program, "-v");
    Ok(Gateway {
        name: "nginx",
        version: version.rsplit_once(": ").map_or(version.as_str(), |(_, version)| version).to_owned(),
        routes: vec![Route { name: "nginx", path: "/mcp", prefix: "" }],
        launch: Box::new(move |site| {
            let file = site.dir.join("nginx.conf");
            fs::write(&file, configuration(site)).context("cannot write nginx.conf")?;
            let (prefix, file) = (site.dir.display().to_string(), file.display().to_string());
            Ok(Launch::new(&program, &["-p", &prefix, "-c", &file, "-e", "stderr"]))
        }),
        has_data: false,
    })
}

/// As root the workers would become another user, who may not enter the directory of the run.
fn configuration(site: &Site) -> String {
    let Site { listen, upstream, dir, .. } = site;
    let dir = dir.display();
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {dir}/{kind};\n"))
        .collect();
    format!(
        "{user}daemon off;\nworker_processes 1;\npid {dir}/nginx.pid;\nerror_log stderr error;\n\
         events {{ worker_connections 20000; }}\n\
         http {{\n{temporary}  access_log off;\n  tcp_nodelay on;\n  keepalive_timeout 3600s;\n  keepalive_requests 1000000000;\n\
         \x20 client_max_body_size 64m;\n\
         \x20 upstream bench {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 3600s; }}\n\
         \x20 server {{\n    listen {listen} backlog=4096;\n    location / {{\n      proxy_pass http://bench;\n      proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n      proxy_set_header Host $host;\n      proxy_read_timeout 3600s;\n\
         \x20     proxy_buffers 8 32k;\n      proxy_buffer_size 32k;\n      proxy_busy_buffers_size 64k;\n    }}\n  }}\n}}\n"
    )
}
