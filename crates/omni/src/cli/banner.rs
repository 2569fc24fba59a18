//! What a person reads when the hub has started: where it listens, what it serves, and how to connect.

use std::net::SocketAddr;
use std::path::Path;

use omni_auth::settings::AuthMode;

use crate::config::Settings;

/// The text, ready to print.
pub(crate) fn banner(
    address: SocketAddr,
    admin: Option<SocketAddr>,
    settings: &Settings,
    file: Option<&Path>,
) -> String {
    let scheme = if settings.gateway.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}/mcp");
    let mut lines = vec![format!("Omni MCP Hub {} listens on {url}", env!("CARGO_PKG_VERSION"))];
    match file {
        Some(file) => lines.push(format!("Configuration: {} (changes are taken over while it runs)", file.display())),
        None => {
            lines.push("No omni.yaml here: serving what is built in, read-only. `omni import` brings yours.".to_owned())
        }
    }
    lines.push(String::new());
    let width = settings.servers.keys().map(String::len).max().unwrap_or(0);
    for (name, server) in &settings.servers {
        let what = match (&server.description, &server.url, &server.command, server.disabled) {
            (_, _, _, true) => "disabled".to_owned(),
            (Some(text), ..) => text.clone(),
            (None, Some(url), ..) => url.clone(),
            (None, None, Some(command), _) => std::iter::once(command.as_str())
                .chain(server.args.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(" "),
            (None, None, None, _) => "built in".to_owned(),
        };
        lines.push(format!("  {name:width$}  {what}"));
    }
    if settings.servers.is_empty() {
        lines.push("  no servers yet: `omni add NAME -- COMMAND` or `omni import`".to_owned());
    }
    lines.push(String::new());
    if settings.auth.mode == AuthMode::None {
        lines.push("Anybody who can reach this address may use it (auth.mode: none).".to_owned());
    }
    lines.push("Connect Claude Code:  omni connect claude".to_owned());
    lines.push("Other clients:        omni connect --help".to_owned());
    lines.push(format!("Health:               {scheme}://{address}/readyz"));
    lines.extend(admin.map(|address| format!("Admin API:            https://{address}/admin/v1")));
    lines.join("\n")
}
