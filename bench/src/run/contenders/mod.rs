//! The contenders: each a file that says how its process is started in front of the upstream, and by which paths it is called.

mod mcp_proxy;
mod nginx;
pub(crate) mod omni;
mod rawproxy;

use crate::run::args::RunArgs;
use crate::run::gateway::Gateway;

/// Those that can be had, in the order of the report; and why the others cannot.
pub(crate) fn available(args: &RunArgs) -> (Vec<Gateway>, Vec<(&'static str, String)>) {
    let (mut gateways, mut absent) = (Vec::new(), Vec::new());
    for (name, made) in [
        ("rawproxy", rawproxy::gateway()),
        ("nginx", nginx::gateway(args.nginx.as_deref())),
        ("omni", omni::gateway(args.omni.as_deref())),
        ("mcp-proxy", mcp_proxy::gateway(args.mcp_proxy.as_deref())),
    ] {
        match made {
            Ok(_) if args.without.iter().any(|without| without == name) => {
                absent.push((name, "left out by --without".to_owned()))
            }
            Ok(gateway) => gateways.push(gateway),
            Err(error) => absent.push((name, format!("{error:#}"))),
        }
    }
    (gateways, absent)
}
